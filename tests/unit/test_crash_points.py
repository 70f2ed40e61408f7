"""Crash points name methods that exist, cost nothing when off, and end the process at once."""

import importlib
import signal
import subprocess
import sys
from operator import attrgetter

import pytest

from civildiy.course_runtime import crash_points
from lab.home import PLATFORM
from lab.topology import UNITS


@pytest.mark.parametrize("name", crash_points.POINTS)
def test_the_method_is_there(name: str) -> None:
    point = crash_points.POINTS[name]
    assert point.unit in (*UNITS, "feed-tool")
    assert callable(attrgetter(point.method)(importlib.import_module(point.module)))


def test_nothing_is_wrapped_when_off() -> None:
    from civildiy.posts.relay.outbox import Outbox

    before = Outbox.mark_sent
    crash_points.arm({})
    assert Outbox.mark_sent is before


def test_the_third_time_kills() -> None:
    program = (
        "from civildiy.course_runtime import crash_points\n"
        "from civildiy.posts.relay.outbox import Outbox\n"
        "crash_points.arm({'CRASH_POINTS': 'relay.after-publish@3'})\n"
        "outbox = Outbox(None)\n"
        "for turn in range(5):\n"
        "    print(turn, flush=True)\n"
        "    outbox.mark_sent([])\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(PLATFORM)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == -signal.SIGKILL
    assert ran.stdout.split() == ["0", "1", "2"]
    assert f"{crash_points.MARK}relay.after-publish" in ran.stderr
