"""A dead server never looks like a wrong answer."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import stopped, until_healthy

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
    file = tmp_path / "verdicts.json"
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    env |= NO_PLUGINS
    with stopped(unit):
        command = [sys.executable, "-m", "pytest", "-q", f"--verdicts={file}", "checks"]
        done = subprocess.run(command, cwd=REPO, env=env, capture_output=True, text=True, check=False)
    until_healthy()
    assert done.returncode == 2, done.stdout
    verdicts = json.loads(file.read_text())
    assert len(verdicts) > 40
    assert {verdict["outcome"] for verdict in verdicts} == {"not gradable"}
    assert all(["why", f"{unit} does not answer"] in verdict["lines"] for verdict in verdicts)
    assert "Traceback" not in done.stdout
