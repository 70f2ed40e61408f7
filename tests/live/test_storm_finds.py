"""The checker is checked: storms over known-wrong modules find what is wrong."""

from collections.abc import Iterator

import pytest
from support import backend, home

from civildiy.chassis.crashpoints import POINTS
from lab.course.exercise import exercise
from lab.course.mutants import Stage, mutants
from lab.faults import crash
from lab.storm.run import Load, Report, Storm
from lab.storm.schedule import Planned

pytestmark = [
    pytest.mark.fault,
    pytest.mark.campaign,
    pytest.mark.skipif(backend.kind != "native", reason="crash points were tried on the native backend only"),
]


KNOWN_WRONG: dict[str, tuple[list[Planned], str, tuple[str, ...]]] = {
    # mutant: (faults, crash point, how one of the violations begins)
    "lpush-and-ltrim": ([Planned(4, "reorder", "kafka", 1)], "", ("stale", "surplus")),
    "poison-stops-everything": ([Planned(2, "poison", "kafka", 1)], "", ("missing",)),
    "offset-before-effect": ([], "projector.before-effect", ("missing",)),
    "two-round-trips": ([], "projector.before-effect", ("missing",)),
}
"""Of lab 07: what is wrong with the others shows in no stream (an expiry, a header, a hash)."""


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    found = Stage(home, backend, exercise("07"))
    yield found
    found.close()


class Once:
    """Lets the projector die once at the point, in the middle of the load."""

    def __init__(self, point: str) -> None:
        self._point = point
        self._before = crash.crashes(backend, point) if point else 0
        self._state = "waiting" if point else "over"

    def look(self, storm: Storm) -> None:
        """A turn of the storm."""
        if self._state == "waiting" and storm.history.writes:
            self._state = "armed"
            storm.held = True
            crash.arm(home, backend, self._point)
        elif self._state == "armed" and crash.crashes(backend, self._point) > self._before:
            self._state = "over"
            storm.held = False
            crash.disarm(home, backend, self._point)


@pytest.mark.parametrize("name", KNOWN_WRONG)
def test_a_storm_finds_what_is_wrong(stage: Stage, name: str) -> None:
    faults, point, kinds = KNOWN_WRONG[name]
    (mutant,) = [m for m in mutants() if m.name == f"07-feeds/{name}"]
    stage.play(mutant)
    once = Once(point)
    storm = Storm(home, backend, 1, 8, faults, Load(writes=20, reads=10, people=3), patience=8)
    try:
        report: Report = storm.run(once.look)
    finally:
        if point:
            crash.disarm(home, backend, point)
        stage.reference()
    assert not report.passed
    assert any(violation.startswith(kinds) for violation in report.violations), report.violations
    assert not point or POINTS[point].unit == "feed-projector"
