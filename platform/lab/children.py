"""Programs that must not be killed half-way: they put back what they have broken on purpose."""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path


def run_to_its_end(
    command: Sequence[str],
    cwd: Path,
    *,
    env: Mapping[str, str] | None = None,
    kept: bool = False,
    told: Callable[[], object] = lambda: None,
) -> tuple[int, bytes]:
    """Run a command; returns its exit code and, if `kept`, what it printed.

    After Ctrl-C the command has all the time that it needs to clean up; a second Ctrl-C kills it. Then
    KeyboardInterrupt is raised. A command whose output is kept needs no terminal and is told of the first
    Ctrl-C from here, once: a second one would break into its cleaning. `told` is called after the first.
    """
    child = subprocess.Popen(
        command, cwd=cwd, env=env, process_group=0 if kept else None,
        stdout=subprocess.PIPE if kept else None, stderr=subprocess.STDOUT if kept else None,
    )  # fmt: skip
    try:
        said, _ = child.communicate()
    except KeyboardInterrupt:
        if kept:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGINT)
        try:
            told()
            child.communicate()
        except KeyboardInterrupt:
            if kept:
                with suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
            child.kill()
            child.wait()
            if child.stdout:
                child.stdout.close()
        raise
    return child.returncode, said or b""
