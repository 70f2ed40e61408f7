"""One of the two systems that a run compares."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from redis import Redis


@dataclass(frozen=True)
class Side:
    """How to load a system, and where to look for the effects."""

    url: str
    """The paths of the API follow it."""
    token: str
    pids: Sequence[int]
    """The processes whose processor time counts; none if it cannot be read."""
    waiting: Callable[[], int]
    """Returns the number of events that are not in the feed yet."""
    redis: Redis
    feed: str
    """The key of the list with all entries."""
