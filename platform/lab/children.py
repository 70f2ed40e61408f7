"""Run programs that must not be killed in the middle, because they undo faults at their end."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def _ended_like_ctrl_c() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGTERM, and on SIGHUP, which a closed terminal sends.

    Both would end this process at once, and its child would go on without anybody who reads its output.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is signal.SIG_DFL]
    try:
        for number in numbers:
            signal.signal(number, signal.default_int_handler)
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


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
        with _ended_like_ctrl_c():
            output, _ = child.communicate()
    except KeyboardInterrupt:
        if kept:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGINT)
        try:
            with suppress(OSError):  # after SIGHUP there is no terminal to print on
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
