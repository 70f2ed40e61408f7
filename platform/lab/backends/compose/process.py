"""Run Compose's own commands to their end or to a time limit, and explain their failures."""

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
    """The result of a command: its last output; `code` is None when it was killed after `seconds`."""

    code: int | None
    output: str
    seconds: float

    @property
    def well(self) -> bool:
        """Whether the command succeeded."""
        return self.code == 0

    @property
    def end(self) -> str:
        """A sentence about the time limit, if the command exceeded it; '' else."""
        return "" if self.code is not None else f" It took more than {self.seconds:.0f} s and was ended."

    def last(self, lines: int) -> str:
        """Return the last lines of the output, indented."""
        return "\n".join(f"  {line}" for line in self.output.strip().splitlines()[-lines:])


def run(
    command: list[str],
    environment: Mapping[str, str],
    seconds: float,
    look: Callable[[str], None] = lambda last: None,
) -> Done:
    """Run `command` for at most `seconds`; call `look` each second with the last line so far.

    The output goes to a file: a pipe that nobody reads would block the command after 64 KB.
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
    """Return the end of an open file without moving its position, which the child process shares."""
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
    """Explain why the containers could not be started or stopped. `waiting`: the unhealthy units."""
    if "Pool overlaps" in done.output:
        return ("Another network of this machine uses the lab's addresses (172.30.41, or LAB_NETWORK)."
                " Move it: LAB_NETWORK=172.30.42 ./lab up (three numbers), and keep it in .env.")  # fmt: skip
    if '"provision" didn' in done.output:
        waiting = ["provision", *waiting]  # the other units wait for what it sets up
    look = (
        f"These units are not healthy: {', '.join(waiting)}. Find the cause: ./lab logs {waiting[0]}"
        if waiting
        else "Find the cause: ./lab doctor"
    )
    return f"Docker Compose failed.{done.end}\n{done.last(6)}\n{look}"
