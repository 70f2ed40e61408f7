"""Guards of a start: one at a time, and only with enough space on the disk."""

import fcntl
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from lab.errors import LabError
from lab.home import Home
from lab.progress import Progress

LEAST_DISK = 500_000_000
"""Bytes: MongoDB alone needs 200 MB for its journal and its oplog."""
LEAST_FILES, WANTED_FILES = 1024, 4096
"""Files and connections that one server may have open."""


@contextmanager
def one_at_a_time(home: Home, progress: Progress | None) -> Iterator[None]:
    """Hold the lock for starting and stopping the system. It is released when its process ends."""
    home.root.mkdir(parents=True, exist_ok=True)
    with (home.root / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if progress:
                progress.say("wait", "waiting for another ./lab that starts or stops the system")
            fcntl.flock(lock, fcntl.LOCK_EX)
            if progress:
                progress.done("wait", "the other ./lab has finished")
        yield


def allow_enough_files() -> None:
    """Let each server open WANTED_FILES files, or raise LabError where this user may not open LEAST_FILES.

    A server inherits the limit of the shell. One that meets it fails much later, and its log names no reason.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= WANTED_FILES:
        return
    if hard != resource.RLIM_INFINITY and hard < LEAST_FILES:
        raise LabError(
            f"A program of this user may open at most {hard} files; the servers need {LEAST_FILES}."
            "\nRaise the limit in /etc/security/limits.conf, log in again, and check it: ulimit -Hn"
        )
    limit = WANTED_FILES if hard == resource.RLIM_INFINITY else min(hard, WANTED_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def refuse_full_disk(home: Home) -> None:
    """Raise LabError when the disk has too little space, because not every server would report that."""
    free = shutil.disk_usage(home.root).free
    if free < LEAST_DISK:
        raise LabError(
            f"Only {free / 1e6:.0f} MB are free at {home.root}; the servers need {LEAST_DISK / 1e6:.0f} MB."
            "\nFree some space, or use another disk: LAB_HOME=… ./lab up"
        )
