"""What keeps one start from disturbing another, and from beginning what cannot end well."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from lab.errors import LabError
from lab.home import Home
from lab.progress import Progress

LEAST_DISK = 500_000_000
"""Bytes: MongoDB alone takes 200 MB for its journal and its log of operations."""


@contextmanager
def one_at_a_time(home: Home, progress: Progress | None) -> Iterator[None]:
    """Starting and stopping wait for each other. The lock ends with the process that holds it."""
    home.root.mkdir(parents=True, exist_ok=True)
    with (home.root / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if progress:
                progress.say("wait", "another ./lab starts or stops the system; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
            if progress:
                progress.done("wait", "the other ./lab is through")
        yield


def refuse_full_disk(home: Home) -> None:
    """Raise LabError while there is too little room for the servers, which would not say so."""
    free = shutil.disk_usage(home.root).free
    if free < LEAST_DISK:
        raise LabError(
            f"Only {free / 1e6:.0f} MB are free at {home.root}; the servers need {LEAST_DISK / 1e6:.0f} MB."
            "\nMake room, or put the lab elsewhere: LAB_HOME=… ./lab up"
        )
