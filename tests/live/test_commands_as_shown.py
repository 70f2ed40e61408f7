"""Run every shown command that changes nothing, or is not a command of ./lab, unchanged."""

import os
import re
import signal
import subprocess
from threading import Timer

import pytest
from proofs import is_run
from shown import Shown, shown
from support import ENDPOINTS, backend

from lab.home import REPO

ENDLESS = re.compile(r"^(while|watch) |\./lab logs .* -f")
REPAIRED_BY = {"redis-cli -h 127.0.0.23 LTRIM": "./lab rebuild"}
"""The command that repairs what another command has broken on purpose."""
NATIVE = re.compile(r"127\.0\.0\.|localhost/|--as ")
"""Addresses and options of the native backend; with another backend, other programs may listen there."""


ENV = {**os.environ, "COLUMNS": "80"}


def wanted() -> list[object]:
    commands = [c for c in shown() if is_run(c) and (backend.kind == "native" or not NATIVE.search(c.text))]
    # A check of a lab takes 20 s.
    return [
        pytest.param(c, id=c.text[:60], marks=[pytest.mark.thorough] if c.words[:1] == ["check"] else [])
        for c in commands
    ]


def run(line: str) -> None:
    done = subprocess.run(
        ["bash", "-c", line], cwd=REPO, env=ENV, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    if " logs " not in line:  # a unit's log may contain a traceback, which is the unit's
        assert "Traceback" not in done.stdout + done.stderr


def run_until_it_speaks(line: str) -> None:
    """Run a command that only ends when it is stopped."""
    with subprocess.Popen(
        ["bash", "-c", line], cwd=REPO, env=ENV, stdout=subprocess.PIPE, start_new_session=True
    ) as command:
        ending = Timer(60, os.killpg, (command.pid, signal.SIGKILL))
        ending.start()
        assert command.stdout
        said = command.stdout.read(20)
        ending.cancel()
        assert command.poll() is None, "it has ended by itself, or said nothing in 60 s"
        os.killpg(command.pid, signal.SIGKILL)
    assert said


@pytest.mark.fault
@pytest.mark.parametrize("command", wanted())
def test_runs(command: Shown) -> None:
    line = f"./lab {' '.join(command.words)}" if command.is_lab else command.text
    line = line.replace(" HOST ", f" {ENDPOINTS['redis'].split(':')[0]} ")
    try:
        run_until_it_speaks(line) if ENDLESS.search(line) else run(line)
    finally:
        for start, mending in REPAIRED_BY.items():
            if line.startswith(start):
                run(mending)
