"""A process dies exactly at a seam of the event path: nothing is lost, doubled or out of order."""

import pytest
from support import backend, home

from civildiy.chassis.crashpoints import POINTS
from lab.faults import crash
from lab.storm.run import Load, Storm

DAILY = ("relay.after-publish", "projector.after-effect")
"""Run by ./lab test; the others by --full."""

pytestmark = pytest.mark.skipif(backend.kind != "native", reason="tried on the native backend only")


class Crashing:
    """Arms the point while the storm blows, until the unit died there `times` times."""

    def __init__(self, name: str, times: int) -> None:
        self._name = name
        self._before = crash.crashes(backend, name)
        self._wanted = self._before + times
        self._armed = self._over = False

    def look(self, storm: Storm) -> None:
        """A turn of the storm."""
        if not self._armed and storm.history.writes:
            self._armed = storm.held = True
            crash.arm(home, backend, self._name)
        elif self._armed and not self._over and crash.crashes(backend, self._name) >= self._wanted:
            self._over = True
            crash.disarm(home, backend, self._name)
            storm.held = False

    @property
    def died(self) -> int:
        """How often it died there."""
        return crash.crashes(backend, self._name) - self._before


@pytest.mark.fault
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in DAILY else [pytest.mark.campaign]) for n in POINTS]
)
def test_crash(name: str) -> None:
    crashing = Crashing(name, 2)
    storm = Storm(home, backend, 1, 5, [], Load(writes=10, reads=6, people=3))
    try:
        report = storm.run(crashing.look)
    finally:
        crash.disarm(home, backend, name)
    assert crashing.died >= 2, f"{POINTS[name].unit} did not die at {name}"
    assert report.passed, report.violations or "it did not recover in time"
