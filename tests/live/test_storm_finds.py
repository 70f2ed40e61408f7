"""Tests of the storm itself: it finds the fault of each wrong module, and nothing in right ones."""

import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Thread

import pytest
from support import backend, home

from civildiy.course_runtime.crash_points import POINTS
from lab.course.mutants import Stages, mutants
from lab.faults import crash
from lab.probes.tools import run_tool
from lab.storm.evidence import RECOVERY_SECONDS
from lab.storm.run import Load, Report, Storm
from lab.storm.schedule import Planned

pytestmark = [
    pytest.mark.fault,
    pytest.mark.campaign,
    pytest.mark.skipif(backend.kind != "native", reason="its crash points end no container"),
]
SECONDS = 8


@dataclass(frozen=True)
class Wrong:
    """How a mistake is revealed, and how one of its violations begins.

    `point`: the unit crashes there once, in the middle of the load. `rebuild`: the view is rebuilt then.
    `kills`: these are killed one after the other, each before the one before can be back.
    """

    kinds: tuple[str, ...]
    faults: list[Planned] = field(default_factory=list)
    point: str = ""
    rebuild: bool = False
    kills: tuple[str, ...] = ()
    writes: int = 20
    reads: int = 10


IN_MEMORY_ONLY = Wrong(("topic: version", "topic: the deletion"), kills=("kafka", "posts-relay"))
"""While no broker listens, sent events exist only in the relay's memory."""
KNOWN_WRONG = {
    "06-events/marks-before-acknowledgement": IN_MEMORY_ONLY,
    "06-events/gives-up-after-five-tries": IN_MEMORY_ONLY,
    "06-events/event-before-the-decision": Wrong(("topic:",)),
    "06-events/new-id-on-each-try": Wrong(("topic: version",), point="relay.after-publish"),
    "06-events/newest-first": Wrong(("topic: the versions",), [Planned(2, "pause", "posts-relay", 4)]),
    "06-events/no-version": Wrong(("topic: version", "stale")),
    "07-feeds/lpush-and-ltrim": Wrong(("stale", "surplus"), [Planned(4, "reorder", "kafka", 1)]),
    "07-feeds/poison-stops-everything": Wrong(("missing",), [Planned(2, "poison", "kafka", 1)]),
    "07-feeds/time-of-arrival": Wrong(("order",)),
    "07-feeds/offset-before-effect": Wrong(("missing",), point="projector.before-effect"),
    "07-feeds/two-round-trips": Wrong(("missing",), point="projector.before-effect"),
    "08-cqrs/skip-off-by-one": Wrong(("missing",), writes=50),
    "08-cqrs/flush-then-fill": Wrong(("hole",), rebuild=True, reads=200),
}
"""The other mistakes are visible in no feed (an expiry, a header, a query plan, a count of commands)."""


@pytest.fixture(scope="module")
def stages() -> Iterator[Stages]:
    found = Stages(home, backend)
    yield found
    found.close()


class InTheMiddle:
    """A disturbance that must happen once, during the load."""

    def __init__(self, wrong: Wrong) -> None:
        self._wrong = wrong
        self._before = crash.crashes(backend, wrong.point) if wrong.point else 0
        self._state = "waiting" if wrong.point or wrong.rebuild else "over"
        self._to_kill = [*wrong.kills]
        self._next_kill = 0.0
        self._rebuild = Thread(target=run_tool, args=(backend, "feed-rebuild"))

    def look(self, storm: Storm) -> None:
        """Act once; the storm calls this several times a second."""
        if self._to_kill and len(storm.history.writes) > 20 and time.monotonic() > self._next_kill:
            backend.signal(self._to_kill.pop(0), signal.SIGKILL)
            self._next_kill = time.monotonic() + 1.5
        if self._state == "waiting" and len(storm.history.writes) > 20:
            self._state = "armed"
            storm.held = True
            if self._wrong.rebuild:
                self._rebuild.start()
            else:
                crash.arm(home, backend, self._wrong.point)
        elif self._state == "armed" and self._happened():
            self._state = "over"
            storm.held = False
            if self._wrong.point:
                crash.disarm(home, backend, self._wrong.point)

    def _happened(self) -> bool:
        if self._wrong.rebuild:
            return not self._rebuild.is_alive()
        return crash.crashes(backend, self._wrong.point) > self._before


def blown(wrong: Wrong, writes: int, reads: int, patience: float) -> Report:
    """Run the storm that reveals a mistake. `patience`: seconds in which a delayed view may catch up."""
    once = InTheMiddle(wrong)
    load = Load(writes=writes, reads=reads, people=3, kept=reads)
    try:
        return Storm(home, backend, 1, SECONDS, wrong.faults, load, patience).run(once.look)
    finally:
        if wrong.point:
            crash.disarm(home, backend, wrong.point)


@pytest.mark.parametrize("name", KNOWN_WRONG)
def test_a_storm_finds_what_is_wrong(stages: Stages, name: str) -> None:
    wrong = KNOWN_WRONG[name]
    (mutant,) = [m for m in mutants() if m.name == name]
    stage = stages.of(mutant.lab)
    stage.play(mutant)
    try:
        report = blown(wrong, wrong.writes, wrong.reads, patience=5)
    finally:
        stage.reference()
    assert not report.passed
    assert any(violation.startswith(wrong.kinds) for violation in report.violations), report.violations
    assert not wrong.point or POINTS[wrong.point].unit in mutant.lab.units


CONTROLS = {
    "all faults": Wrong((), sorted({p for w in KNOWN_WRONG.values() for p in w.faults}, key=lambda p: p.at)),
    **{wrong.point: Wrong((), point=wrong.point) for wrong in KNOWN_WRONG.values() if wrong.point},
    "rebuild": Wrong((), rebuild=True),
    "no broker": IN_MEMORY_ONLY,
}
"""The disturbances that reveal the mistakes, without any mistake."""


@pytest.mark.parametrize("name", CONTROLS)
def test_a_storm_finds_nothing_where_nothing_is_wrong(stages: Stages, name: str) -> None:
    stages.close()  # the platform's own code
    loads = [(wrong.writes, wrong.reads) for wrong in KNOWN_WRONG.values()]
    writes, reads = (max(w for w, _ in loads), max(r for _, r in loads))
    report = blown(CONTROLS[name], writes, reads, RECOVERY_SECONDS)
    assert report.violations == []
    assert report.passed, "it did not recover in time"
