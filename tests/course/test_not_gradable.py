"""A dead server never looks like a wrong answer."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support import backend, stopped, until_healthy

from lab.course.running import NO_PLUGINS
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
def test_every_check_says_not_gradable(unit: str, tmp_path: Path) -> None:
    with stopped(unit):
        verdicts = not_gradable(tmp_path / "verdicts.json", "checks")
    until_healthy()
    assert len(verdicts) > 40
    assert all(["why", f"{unit} does not answer"] in verdict["lines"] for verdict in verdicts)


@pytest.mark.fault
@pytest.mark.parametrize(
    "unit",
    [
        "redis",
        *(pytest.param(u, marks=pytest.mark.campaign) for u in ("consul", "kafka", "mongodb", "postgresql")),
    ],
)
def test_a_frozen_server_is_named(unit: str, tmp_path: Path) -> None:
    """It still takes connections, and never answers."""
    backend.freeze(unit)
    try:
        verdicts = not_gradable(tmp_path / "verdicts.json", "checks/test_07_feeds.py")
    finally:
        backend.thaw(unit)
    until_healthy()
    # Whoever asks the frozen one may be silent as well.
    assert all(unit in dict(verdict["lines"])["why"] for verdict in verdicts), verdicts


def not_gradable(file: Path, checks: str) -> list[dict[str, Any]]:
    """The verdicts of a run in which nothing could be graded."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    env |= NO_PLUGINS
    command = [sys.executable, "-m", "pytest", "-q", f"--verdicts={file}", checks]
    done = subprocess.run(command, cwd=REPO, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stdout
    assert "Traceback" not in done.stdout
    verdicts: list[dict[str, Any]] = json.loads(file.read_text())
    assert {verdict["outcome"] for verdict in verdicts} == {"not gradable"}
    return verdicts
