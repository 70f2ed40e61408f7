"""A check that is ended by a signal repairs what it broke, whichever signal it is."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.home import PLATFORM

CHILD = """
import pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
try:
    (folder / "started").touch()
    time.sleep(60)
finally:
    (folder / "repaired").touch()
"""
PARENT = """
import signal, sys
from pathlib import Path
from lab import children
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # one may be ignored, as under nohup
    signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
children.run_to_its_end([sys.executable, "-c", sys.argv[2], sys.argv[1]], Path.cwd(), kept=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_child_cleans_up(number: signal.Signals, tmp_path: Path) -> None:
    """SIGHUP is what a closed terminal sends."""
    env = dict(os.environ) | {"PYTHONPATH": str(PLATFORM)}
    command = [sys.executable, "-c", PARENT, str(tmp_path), CHILD]
    parent = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (tmp_path / "started").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    parent.send_signal(number)
    assert parent.wait(60) != 0
    assert (tmp_path / "repaired").exists()
