"""Run a command of ./lab from a notebook."""

import subprocess
import sys
from collections.abc import Callable, Sequence

from lab import environment
from lab.home import REPO


def run(words: Sequence[str], told: Callable[[str], object]) -> int:
    """Run `./lab WORDS…`; `told` gets each line as it comes. Returns the exit code."""
    command = [sys.executable, "-P", "-m", "lab", *words]
    process = subprocess.Popen(
        command, cwd=REPO, env=environment.handed_on(), encoding="utf-8", errors="replace",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout
    with process.stdout:
        for line in process.stdout:
            told(line)
    return process.wait()
