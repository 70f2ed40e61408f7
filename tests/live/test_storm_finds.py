"""The checker is checked: storms over known-wrong modules find what is wrong."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Thread

import pytest
from support import backend, home

from civildiy.chassis.crashpoints import POINTS
from lab.course.mutants import Stages, mutants
from lab.faults import crash
from lab.storm.run import Load, Report, Storm
from lab.storm.schedule import Planned
from lab.view import run_tool

pytestmark = [
    pytest.mark.fault,
    pytest.mark.campaign,
    pytest.mark.skipif(backend.kind != "native", reason="its crash points end no container"),
]
SECONDS = 8


@dataclass(frozen=True)
class Wrong:
    """What brings a mistake to light, and how one of the violations begins.

    `point`: the unit dies there once, in the middle of the load. `rebuild`: the view is made anew then.
    """

    kinds: tuple[str, ...]
    faults: list[Planned] = field(default_factory=list)
    point: str = ""
    rebuild: bool = False
    writes: int = 20
    reads: int = 10


IN_MEMORY_ONLY = [
    Planned(at + later, "kill", unit, 1)
    for at in (2, 5.5)
    for later, unit in ((0, "kafka"), (1, "posts-relay"), (1.6, "posts-relay"))
]
"""While no broker listens, what is sent lives in the relay's memory."""
KNOWN_WRONG = {
    "06-events/marks-before-acknowledgement": Wrong(("topic: version",), IN_MEMORY_ONLY),
    "06-events/gives-up-after-five-tries": Wrong(("topic: version",), IN_MEMORY_ONLY),
    "06-events/event-before-the-decision": Wrong(("topic: version",)),
    "06-events/new-id-on-each-try": Wrong(("topic: version",), point="relay.after-publish"),
    "06-events/newest-first": Wrong(("topic: the versions",), [Planned(2, "pause", "posts-relay", 4)]),
    "06-events/no-version": Wrong(("topic: version", "stale")),
    "07-feeds/lpush-and-ltrim": Wrong(("stale", "surplus"), [Planned(4, "reorder", "kafka", 1)]),
    "07-feeds/poison-stops-everything": Wrong(("missing",), [Planned(2, "poison", "kafka", 1)]),
    "07-feeds/offset-before-effect": Wrong(("missing",), point="projector.before-effect"),
    "07-feeds/two-round-trips": Wrong(("missing",), point="projector.before-effect"),
    "08-cqrs/skip-off-by-one": Wrong(("missing",), writes=50),
    "08-cqrs/flush-then-fill": Wrong(("hole",), rebuild=True, reads=200),
}
"""What is wrong with the others shows in no stream (an expiry, a header, a plan, a count of commands)."""


@pytest.fixture(scope="module")
def stages() -> Iterator[Stages]:
    found = Stages(home, backend)
    yield found
    found.close()


class InTheMiddle:
    """What is to happen once, while there is a load."""

    def __init__(self, wrong: Wrong) -> None:
        self._wrong = wrong
        self._before = crash.crashes(backend, wrong.point) if wrong.point else 0
        self._state = "waiting" if wrong.point or wrong.rebuild else "over"

    def look(self, storm: Storm) -> None:
        """A turn of the storm."""
        if self._state == "waiting" and len(storm.history.writes) > 20:
            self._state = "armed"
            if self._wrong.rebuild:
                Thread(target=run_tool, args=(backend, "feed-rebuild")).start()
                return
            storm.held = True
            crash.arm(home, backend, self._wrong.point)
        elif self._state == "armed" and self._died():
            self._state = "over"
            storm.held = False
            crash.disarm(home, backend, self._wrong.point)

    def _died(self) -> bool:
        return bool(self._wrong.point) and crash.crashes(backend, self._wrong.point) > self._before


@pytest.mark.parametrize("name", KNOWN_WRONG)
def test_a_storm_finds_what_is_wrong(stages: Stages, name: str) -> None:
    wrong = KNOWN_WRONG[name]
    (mutant,) = [m for m in mutants() if m.name == name]
    stage = stages.of(mutant.lab)
    stage.play(mutant)
    once = InTheMiddle(wrong)
    load = Load(writes=wrong.writes, reads=wrong.reads, people=3, kept=wrong.reads)
    storm = Storm(home, backend, 1, SECONDS, wrong.faults, load, patience=5)
    try:
        report: Report = storm.run(once.look)
    finally:
        if wrong.point:
            crash.disarm(home, backend, wrong.point)
        stage.reference()
    assert not report.passed
    assert any(violation.startswith(wrong.kinds) for violation in report.violations), report.violations
    assert not wrong.point or POINTS[wrong.point].unit in mutant.lab.units
