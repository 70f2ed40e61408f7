"""Admission control for password hashing: a bounded number of requests may wait for it.

A hash takes about 20 ms of one processor, by design. Many clients together can ask for more hashes than the
machine can compute. Without a limit every request would wait longer than the one before, until the gateway
gives up on answers that the service is still computing. So a request above the limit is refused at once.

Registration and login have separate limits, so a flood of new accounts does not lock out existing users.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from civildiy.chassis.errors import Overloaded

MOST_WAITING = 64
"""With two hashes at a time, this many requests take about a second."""


class Busy(Overloaded):
    """All places are taken; the client may try again a second later."""

    def __init__(self, activity: str) -> None:
        super().__init__(f"Too many people are {activity} right now; try again in a moment.")


class Admission:
    """A limit on simultaneous requests; `activity` names what they do in an error, such as 'registering'."""

    def __init__(self, activity: str, most: int = MOST_WAITING) -> None:
        self._activity = activity
        self._free = most

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take a place while the block runs. Raises Busy when all places are taken."""
        if self._free == 0:
            raise Busy(self._activity)
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1
