"""Enter the cluster's network with this very process, so that the tests reach pods and Services."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CLONE_NEWNET = 0x40000000


@contextmanager
def entered(name: str) -> Iterator[None]:
    """Move this thread, and all threads and programs that it starts, into a network namespace.

    At the end it returns to its own; threads that still run stay where they are.
    """
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    other = os.open(Path("/run/netns") / name, os.O_RDONLY)
    try:
        _move(other)
        yield
    finally:
        _move(own)
        os.close(own)
        os.close(other)


def _move(namespace: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(namespace, CLONE_NEWNET) != 0:  # os.setns exists from Python 3.12 on
        raise OSError(ctypes.get_errno(), "setns failed")
