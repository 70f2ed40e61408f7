"""A process crashes between two steps of the event path: nothing is lost, doubled or out of order."""

import os
import signal
import subprocess

import pytest
from support import backend, eventually, home

from civildiy.course_runtime.crash_points import MARK, POINTS
from lab.faults import crash
from lab.storm.run import Load, Storm

DAILY = ("relay.after-publish", "projector.after-effect")
"""Run by ./lab test; the others by --full."""

pytestmark = pytest.mark.skipif(
    backend.kind != "native", reason="a container's first process cannot kill itself"
)


class Crashing:
    """Arms the crash point during the storm, until the unit has crashed there `times` times."""

    def __init__(self, name: str, times: int) -> None:
        self._name = name
        self._before = crash.crashes(backend, name)
        self._wanted = self._before + times
        self._armed = self._over = False

    def look(self, storm: Storm) -> None:
        """Act once; the storm calls this several times a second."""
        if not self._armed and storm.history.writes:
            self._armed = storm.held = True
            crash.arm(home, backend, self._name)
        elif self._armed and not self._over and crash.crashes(backend, self._name) >= self._wanted:
            self._over = True
            crash.disarm(home, backend, self._name)
            storm.held = False

    @property
    def died(self) -> int:
        """Return how often the unit has crashed there."""
        return crash.crashes(backend, self._name) - self._before


@pytest.mark.fault
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in DAILY else [pytest.mark.campaign])
        for name, point in POINTS.items()
        if point.unit != "feed-tool"
    ],
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


@pytest.mark.fault
@pytest.mark.campaign
@pytest.mark.parametrize("name", ["rebuild.before-switch", "rebuild.after-switch"])
def test_crash_in_a_rebuild(name: str) -> None:
    """The rebuild crashes under load; no read fails, and the next rebuild works."""
    died: list[int] = []

    def look(storm: Storm) -> None:
        if len(storm.history.writes) > 20 and not died:
            command = backend.tool_command("feed-rebuild")
            environment = {**os.environ, crash.VARIABLE: name}
            done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=120)
            died.append(done.returncode)
            assert f"{MARK}{name}".encode() in done.stdout + done.stderr

    report = Storm(home, backend, 1, 12, [], Load(writes=10, reads=10, people=3)).run(look)
    assert died == [-signal.SIGKILL]
    assert report.passed, report.violations or "it did not recover in time"
    assert all(read.status == 200 for read in report.history.reads)

    def rebuilt() -> bool:
        return subprocess.run(backend.tool_command("feed-rebuild"), check=False, timeout=120).returncode == 0

    eventually(rebuilt, within=60, what="a rebuild that works")
