"""Run programs that must not be killed in the middle, because they undo faults at their end."""

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
    interrupted: Callable[[], object] = lambda: None,
) -> tuple[int, bytes]:
    """Run a command; return its exit code and, if `kept`, its output.

    After a Ctrl-C the command has as much time as it needs to clean up; a second Ctrl-C kills it. Then
    KeyboardInterrupt is raised. A command whose output is kept has no terminal, so this function sends it the
    first SIGINT, once: a second one would interrupt its clean-up. `interrupted` is called after the first.
    """
    child = subprocess.Popen(
        command, cwd=cwd, env=env, process_group=0 if kept else None,
        stdout=subprocess.PIPE if kept else None, stderr=subprocess.STDOUT if kept else None,
    )  # fmt: skip
    try:
        output, _ = child.communicate()
    except KeyboardInterrupt:
        if kept:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGINT)
        try:
            interrupted()
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
    return child.returncode, output or b""
