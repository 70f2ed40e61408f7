"""A dead server never looks like a wrong answer."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL
from threading import Event, Thread
from typing import Any

import pytest
from grading.servers import trouble
from support import backend, eventually, home, stopped, until_healthy

from lab.course.exercise import exercise
from lab.course.grading import grade
from lab.course.running import NO_PLUGINS
from lab.errors import LabError
from lab.home import REPO


@pytest.mark.fault
@pytest.mark.parametrize(
    "unit",
    [
        "kafka",
        "postgresql",
        *(pytest.param(u, marks=pytest.mark.campaign) for u in ("consul", "redis", "mongodb")),
    ],
)
@pytest.mark.thorough
def test_every_check_says_not_gradable(unit: str, tmp_path: Path) -> None:
    with stopped(unit):
        verdicts = not_gradable(tmp_path / "verdicts.json", "checks")
    until_healthy()
    # The services can work without Consul for a while, so they are healthy before it has a leader.
    eventually(lambda: not trouble(), within=20, what="all servers to answer")
    assert len(verdicts) > 40
    others = [v for v in verdicts if dict(v["lines"])["why"] != f"{unit} does not answer"]
    assert others == []


@pytest.mark.fault
@pytest.mark.parametrize(
    "unit",
    [
        "redis",
        *(pytest.param(u, marks=pytest.mark.campaign) for u in ("consul", "kafka", "mongodb", "postgresql")),
    ],
)
@pytest.mark.thorough
def test_a_frozen_server_is_named(unit: str, tmp_path: Path) -> None:
    """The server still accepts connections, but never answers."""
    backend.freeze(unit)
    try:
        verdicts = not_gradable(tmp_path / "verdicts.json", "checks/test_07_feeds.py")
    finally:
        backend.thaw(unit)
    until_healthy()
    # A unit that waits for the paused one may not answer either.
    assert all(unit in dict(verdict["lines"])["why"] for verdict in verdicts), verdicts


@pytest.mark.fault
@pytest.mark.campaign
def test_a_server_that_dies_during_a_check_is_named() -> None:
    """The server is killed repeatedly after the start of the check; its supervisor restarts it each time."""
    ended = Event()

    def kill_redis() -> None:
        eventually(lambda: backend.pid_of("feed-projector") is None, within=60, what="the check to begin")
        while not ended.wait(0.1):
            with suppress(LabError):  # it is still dead
                backend.signal("redis", SIGKILL)

    killer = Thread(target=kill_redis)
    killer.start()
    try:
        graded = grade(home, exercise("08"), ("-k", "test_lag"))
    finally:
        ended.set()
        killer.join()
    until_healthy()
    assert graded.code == 2, graded
    assert graded.verdicts
    assert "redis" in dict(graded.verdicts[0]["lines"])["why"]


def not_gradable(file: Path, checks: str) -> list[dict[str, Any]]:
    """Return the verdicts of a run in which no check could be graded."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    env |= NO_PLUGINS
    command = [sys.executable, "-m", "pytest", "-q", f"--verdicts={file}", checks]
    done = subprocess.run(command, cwd=REPO, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stdout
    assert "Traceback" not in done.stdout
    verdicts: list[dict[str, Any]] = json.loads(file.read_text())
    assert {verdict["outcome"] for verdict in verdicts} == {"not gradable"}
    return verdicts
