"""How many people may wait for a password's hash.

A hash takes some 20 ms of one processor, by design. Many clients together can ask for more than there is:
then all would wait, each longer than the one before, and the gateway would give up on answers that are still
being worked on. Who finds the queue full is told so at once. Registering and logging in have a queue each,
so a flood of new accounts does not lock out the people who have one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from civildiy.chassis.problems import Problem

MOST_WAITING = 64
"""Two at a time take about a second for so many."""


class Busy(Problem):
    """More people want this at once than can be served."""

    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, what: str) -> None:
        detail = f"Too many people are {what} right now; try again in a moment."
        super().__init__(detail, headers={"Retry-After": "1"})


class Queue:
    """Places to wait in; `what` is what people do there, in words."""

    def __init__(self, what: str, most: int = MOST_WAITING) -> None:
        self._what = what
        self._free = most

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take a place for as long as the block lasts. Raises Busy when all are taken."""
        if self._free == 0:
            raise Busy(self._what)
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1
