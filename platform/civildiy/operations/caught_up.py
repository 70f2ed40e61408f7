"""Waits until the view has applied what is on the topic, for as long as it gets nearer (blocking clients)."""

import logging
import time
from collections.abc import Callable, Sequence

from redis import Redis

from civildiy.contracts.posts.topic_reader import Topic
from civildiy.feed import keys

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.05
TELL_SECONDS = 2.0


class NotCaughtUp(Exception):
    """The view stands still, or falls behind; `behind` is the number of events that it has not applied."""

    def __init__(self, behind: int) -> None:
        super().__init__(f"the view is {behind} events behind")
        self.behind = behind


class CaughtUp:
    """Compares the view with the partitions that `topics` read, the first partition first."""

    def __init__(self, redis: Redis, topics: Sequence[Topic], patience: float) -> None:
        self._redis = redis
        self._topics = topics
        self._patience = patience

    def behind(self) -> int:
        """Return how many events the view has not applied. Raises KafkaError and RedisError."""
        return sum(self._behind(number, topic) for number, topic in enumerate(self._topics))

    def wait(self, at_most: int, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Return when the view is no more than `at_most` events behind; call `meanwhile` repeatedly.

        A view with much to apply may take minutes. So there is no limit for the whole, only for the time
        in which it does not get nearer: NotCaughtUp after `patience` seconds of that. What is left is
        logged every TELL_SECONDS.
        """
        nearest, deadline = self.behind(), time.monotonic() + self._patience
        behind, told = nearest, time.monotonic()
        while behind > at_most:
            now = time.monotonic()
            if behind < nearest:
                nearest, deadline = behind, now + self._patience
            elif now > deadline:
                raise NotCaughtUp(behind)
            if now - told > TELL_SECONDS:
                log.info("the view still has to apply %s events", behind)
                told = now
            meanwhile()
            time.sleep(LOOK_SECONDS)
            behind = self.behind()

    def _behind(self, number: int, topic: Topic) -> int:
        noted = int(self._redis.get(keys.offset_of(number)) or 0)
        first, end = topic.first(), topic.end()
        # An offset beyond the end belongs to a topic that was deleted: the view begins at the first record.
        return end - (first if noted > end else max(noted, first))
