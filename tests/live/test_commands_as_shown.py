"""Shown commands that look or are not one of ./lab are run as they stand."""

import os
import subprocess

import pytest
from shown import Shown, shown

from lab.home import REPO

LOOKING = ("status", "endpoints", "list", "doctor", "demo", "task", "report", "logs")
ELSEWHERE = (".venv/bin/pytest checks/", ".venv/bin/python -m lab.notebook.sources")
"""`./lab test` and the making of notebooks: what they do is what the other tests are about."""


def wanted() -> list[Shown]:
    return [
        command
        for command in shown()
        if not command.text.startswith(("%lab", *ELSEWHERE))
        and (not command.is_lab or (command.words and command.words[0] in LOOKING))
    ]


@pytest.mark.fault
@pytest.mark.parametrize("command", wanted(), ids=lambda command: command.text[:60])
def test_runs(command: Shown) -> None:
    line = f"./lab {' '.join(command.words)}" if command.is_lab else command.text
    line = line.replace(" -f", "")  # it would go on until somebody ends it
    env = {**os.environ, "COLUMNS": "80"}
    done = subprocess.run(
        ["bash", "-c", line], cwd=REPO, env=env, capture_output=True, text=True, check=False, timeout=180
    )
    assert done.returncode == 0, done.stdout + done.stderr
    if "logs" not in command.words:  # a unit's log may hold a traceback, of the unit
        assert "Traceback" not in done.stdout + done.stderr
