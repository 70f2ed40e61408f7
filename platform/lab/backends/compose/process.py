"""Compose's own commands: run to their end or to a limit, and their words as a person can use them."""

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

LOOK_SECONDS = 1.0
END_SECONDS = 10.0
TAIL_BYTES = 20_000


@dataclass(frozen=True)
class Done:
    """What a command printed last; `code` is None when its time was up after `seconds`."""

    code: int | None
    words: str
    seconds: float

    @property
    def well(self) -> bool:
        """Whether it succeeded."""
        return self.code == 0

    @property
    def end(self) -> str:
        """How it ended, where that is no matter of its own words; '' else."""
        return "" if self.code is not None else f" It took more than {self.seconds:.0f} s and was ended."

    def last(self, lines: int) -> str:
        """Its last lines, indented."""
        return "\n".join(f"  {line}" for line in self.words.strip().splitlines()[-lines:])


def run(
    command: list[str],
    environment: Mapping[str, str],
    seconds: float,
    look: Callable[[str], None] = lambda last: None,
) -> Done:
    """Run `command`, for `seconds` at most; each second `look` is told the last line so far.

    Its words go to a file: a pipe that nobody empties would stop it after some hundred lines.
    """
    with tempfile.TemporaryFile() as file:
        child = subprocess.Popen(
            command, env=dict(environment), stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
        )
        began = time.monotonic()
        code = None
        try:
            while code is None and time.monotonic() - began < seconds:
                try:
                    code = child.wait(LOOK_SECONDS)
                except subprocess.TimeoutExpired:
                    look("".join(_tail(file.fileno()).splitlines()[-1:]))
        finally:
            if code is None:
                _end(child)
        return Done(code, _tail(file.fileno()), seconds)


def _tail(file: int) -> str:
    """The end of what an open file holds; its position, which the child shares, stays."""
    size = os.fstat(file).st_size
    return os.pread(file, TAIL_BYTES, max(0, size - TAIL_BYTES)).decode(errors="replace")


def _end(child: "subprocess.Popen[bytes]") -> None:
    child.terminate()
    try:
        child.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def explained(done: Done, waiting: list[str]) -> str:
    """Why the containers could not be started or stopped, and what to do. `waiting`: who is not healthy."""
    if "Pool overlaps" in done.words:
        return ("The lab's network is taken on this machine (172.30.41, or what LAB_NETWORK says). Move it:"
                " LAB_NETWORK=172.30.42 ./lab up (three numbers), and keep it in .env.")  # fmt: skip
    if '"provision" didn' in done.words:
        waiting = ["provision", *waiting]  # the others wait for what it makes
    look = (
        f"Not healthy: {', '.join(waiting)}. Look: ./lab logs {waiting[0]}"
        if waiting
        else "Look: ./lab doctor"
    )
    return f"Docker Compose did not succeed.{done.end}\n{done.last(6)}\n{look}"
