"""Every step of these tests has an end: a command that hangs is ended, with all that it started."""

import faulthandler
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import IO

from lab.errors import LabError

SHOWN = 3000
PATIENCE_SECONDS = 20
LANE_SECONDS = float(os.environ.get("LAB_COMPOSE_SECONDS", "5400"))
"""After this long the rest of the campaign fails at once, and the system is removed."""
_began: list[float] = []
"""When the first of these tests began; others may have run before."""


class TimeIsUp(LabError):
    """Raised when a step took too long; the text contains the step and its last output."""


def run(
    command: Sequence[object], environment: Mapping[str, str], seconds: float, cwd: object = None
) -> tuple[int, str]:
    """Return the exit code of a command and its output. Raises TimeIsUp."""
    words = [str(part) for part in command]
    with started(words, environment, cwd) as child:
        try:
            said, _ = child.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as late:
            last = (late.stdout or b"").decode(errors="replace")
            what = f"{' '.join(words[:6])} … did not end in {seconds:.0f} s:"
            raise TimeIsUp(f"{what}\n{last[-SHOWN:]}") from None
        return child.returncode, said.decode(errors="replace")


@contextmanager
def started(
    words: list[str], environment: Mapping[str, str], cwd: object = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Yield a command whose output comes through a pipe; at the end, kill it and its children."""
    child = subprocess.Popen(
        words, env=dict(environment), cwd=None if cwd is None else str(cwd), start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield child
    finally:
        if child.poll() is None:
            end_group(child)
        pipe: IO[bytes] | None = child.stdout
        if pipe:
            pipe.close()


def end_group(child: "subprocess.Popen[bytes]") -> None:
    """End a child and all its children: first with SIGINT, so that pytest can clean up."""
    os.killpg(child.pid, signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        child.wait(PATIENCE_SECONDS)
    with suppress(ProcessLookupError):  # all are gone
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


@contextmanager
def limited(what: str, seconds: float, *, whatever: bool = False) -> Iterator[None]:
    """Raise TimeIsUp in here after `seconds`, or (unless `whatever`) when the time of all tests is up.

    For the main thread. Where it stands then is written to stderr.
    """
    if not _began:
        _began.append(time.monotonic())
    left = float("inf") if whatever else _began[0] + LANE_SECONDS - time.monotonic()
    seconds = max(1.0, min(seconds, left))

    def late(number: int, frame: FrameType | None) -> None:
        faulthandler.dump_traceback(file=sys.__stderr__ or sys.stderr)
        of_all = f" (all tests on Compose have {LANE_SECONDS:.0f} s together: LAB_COMPOSE_SECONDS)"
        of_all *= left <= seconds
        raise TimeIsUp(f"{what} was not done after {seconds:.0f} s{of_all}")

    began = time.monotonic()
    before = signal.signal(signal.SIGALRM, late)
    outer, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if outer:  # a limit around this one
            signal.setitimer(signal.ITIMER_REAL, max(0.1, outer - (time.monotonic() - began)))
