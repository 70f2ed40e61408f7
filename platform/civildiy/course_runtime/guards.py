"""Limits and watches for a learner's code, so that the rest of the system keeps running."""

import ctypes
import logging
import os
import signal
import stat
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from os import execve  # as it is before the learner's code can replace it
from pathlib import Path
from time import monotonic, sleep
from types import FrameType
from typing import Any, NoReturn

from civildiy.course_runtime.finder import fingerprint
from civildiy.course_runtime.incidents import Incidents

LOOK_SECONDS = 0.2
PAUSED_SECONDS = 1.0
"""A watch whose next check comes only after so long was paused together with its process."""
BLOCKED_SECONDS = 4.0
IMPORTER = "<frozen importlib"
"""How the file names of Python's import system begin."""
MOST_MEMORY = 1024**3
LONGEST_LOG = 64 * 1024**2
PR_SET_PDEATHSIG = 1
CONTAINER_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),  # cgroups of version 1
)
_environment = dict(os.environ)  # as it is before the learner's code can change it
_outputs = {number: os.dup(number) for number in (1, 2)}  # … or close them


def begin_anew() -> NoReturn:
    """Replace this process with a new one of the same command, which reads all files again."""
    for number, kept in _outputs.items():
        os.dup2(kept, number)
    execve(sys.executable, sys.orig_argv, _environment)  # noqa: S606


def container_memory() -> int:
    """Return how many bytes this container may use; a very large number outside a container."""
    for file in CONTAINER_LIMITS:
        with suppress(OSError, ValueError):
            return int(file.read_text())
    return 2**62


def limit_resources() -> None:
    """Limit memory and file sizes, the log above all: a leak or a `print` in a loop then fails here."""
    import resource  # there is none on Windows; services run on Linux

    most = MOST_MEMORY
    if (container := container_memory()) < MOST_MEMORY:
        # The kernel kills a container that takes too much memory, without a message. With this lower limit,
        # Python raises MemoryError, which names the line. Stacks of threads count although they are hardly
        # used, so they are made smaller.
        most = container * 95 // 100
        threading.stack_size(1024**2)
    resource.setrlimit(resource.RLIMIT_DATA, (most, resource.getrlimit(resource.RLIMIT_DATA)[1]))
    log = os.fstat(sys.stderr.fileno())
    if stat.S_ISREG(log.st_mode) and log.st_size > LONGEST_LOG // 2:
        os.ftruncate(sys.stderr.fileno(), 0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LONGEST_LOG, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def tie_children() -> None:
    """Make processes that this one forks end with it; otherwise they would keep its port for ever."""
    control = ctypes.CDLL(None).prctl
    os.register_at_fork(after_in_child=lambda: control(PR_SET_PDEATHSIG, int(signal.SIGKILL)))


def lift_limits() -> None:
    """Remove the limits that `limit_resources` set in the process that this one has replaced."""
    import resource

    for limit in (resource.RLIMIT_DATA, resource.RLIMIT_FSIZE):
        most = resource.getrlimit(limit)[1]
        resource.setrlimit(limit, (most, most))


def report_errors(incidents: Incidents) -> None:
    """Report every exception that reaches a log, an excepthook or the end of a thread."""
    make = logging.getLogRecordFactory()

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        if record.exc_info and record.exc_info[1]:
            incidents.raised(record.exc_info[1])
        return record

    logging.setLogRecordFactory(factory)
    previous = threading.excepthook

    def in_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value:
            incidents.raised(args.exc_value)
        previous(args)

    threading.excepthook = in_thread
    end = os._exit

    def ending(status: int) -> NoReturn:
        incidents.at("ended", sys._getframe(1), f"os._exit({status})")
        end(status)

    os._exit = ending


class Watch(threading.Thread):
    """Restarts the process when a file changes, and reports (or ends) code that blocks the main thread.

    `told` is the setting from which `files` were read, and a function that reads it again. A change of the
    setting restarts the process, too.
    """

    def __init__(
        self, files: Mapping[str, Path], incidents: Incidents, told: tuple[str, Callable[[], str]],
        *, blocked_ends: bool,
    ) -> None:  # fmt: skip
        super().__init__(name="learner-watch", daemon=True)
        self._files = files
        self._told_first, self._told = told
        self._incidents = incidents
        self._blocked_ends = blocked_ends
        self.loaded = {module: fingerprint(file) for module, file in files.items()}

    def run(self) -> None:
        """Check periodically, every LOOK_SECONDS."""
        frame, since, noted = None, monotonic(), False
        looked = since
        while True:
            self._begin_anew_when_changed()
            now = self._main_frame()
            # Time that passed while the whole process was paused (SIGSTOP) is not that of the call.
            since += max(0.0, monotonic() - looked - PAUSED_SECONDS)
            looked = monotonic()
            if now is None or now is not frame:
                frame, since, noted = now, monotonic(), False
            elif monotonic() - since > BLOCKED_SECONDS and not noted:
                noted = True
                self._incidents.at("blocked", now, f"this call has not returned for {BLOCKED_SECONDS:.0f} s")
                if self._blocked_ends:
                    self.wait_for_change()
            del now
            sleep(LOOK_SECONDS)

    def wait_for_change(self) -> NoReturn:
        """Do nothing until a file changes, then restart the process."""
        self._incidents.waiting()
        while True:
            self._begin_anew_when_changed()
            sleep(LOOK_SECONDS)

    def _begin_anew_when_changed(self) -> None:
        if self._changed():
            sleep(LOOK_SECONDS / 2)  # an editor may still be writing
            begin_anew()

    def _changed(self) -> bool:
        return self._told() != self._told_first or any(
            fingerprint(file) not in (self.loaded[m], "missing") for m, file in self._files.items()
        )

    def _main_frame(self) -> FrameType | None:
        innermost = sys._current_frames().get(threading.main_thread().ident or 0)
        own = self._incidents.frame(innermost)
        # The imports at the top of a file take many seconds on a busy machine, and are no fault of the code.
        return None if _importing(innermost, own) else own


def _importing(innermost: FrameType | None, own: FrameType | None) -> bool:
    """Whether the learner's frame `own` is at an `import`, which has called what is above it on the stack."""
    called = innermost
    while called is not None and called is not own and called.f_back is not own:
        called = called.f_back
    return called is not None and called is not own and called.f_code.co_filename.startswith(IMPORTER)
