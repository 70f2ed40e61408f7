"""The projection: how an event changes the view in Redis.

Redelivered, duplicated and late events change nothing: the view knows each post's version, and
the check and the edit are one script. An entry is stored as the bytes that readers get.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import orjson
from redis import Redis
from redis.exceptions import NoScriptError

from civildiy.events.envelope import PostEvent, PostPut
from civildiy.feed import keys

# Lab 07, step 2: SCRIPT


def timestamp(time: datetime) -> str:
    """UTC with microseconds, always 27 characters, so that text order is time order."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def feed_entry(event: PostPut) -> bytes:
    """The entry of a post as readers get it. The script relies on its first two fields."""
    raise NotImplementedError("Lab 07, step 1: write feed_entry")


class Projection:
    """Applies events to the view (blocking client: for the projector's process only)."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._sha = ""

    def apply(self, events: Sequence[PostEvent], next_offset: int, skipped: int, dead: int) -> None:
        """Apply `events` in order, then note `next_offset` and the counts, in one round trip.

        Raises redis.exceptions.RedisError; applying the same events again is then safe.
        """
        raise NotImplementedError("Lab 07, step 3: write Projection.apply")

    def _send(self, events: Sequence[PostEvent], next_offset: int, skipped: int, dead: int) -> None:
        raise NotImplementedError("Lab 07, step 3: write Projection._send")

    def next_offset(self) -> int | None:
        """Where to go on, as noted with the last effects; None in an empty Redis."""
        noted = self._redis.get(keys.OFFSET)
        return None if noted is None else int(noted)
