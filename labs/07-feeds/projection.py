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

NOTE = """
-- Note what a batch did, unless the view was switched for a rebuilt one in between.
-- KEYS: generation, offset, counters
-- ARGV: generation before the batch, next offset, then name and number of each counter
-- Returns 1, or 0 when the effects went to a view that is no longer read.

if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[2], ARGV[2])
for n = 3, #ARGV, 2 do
  redis.call('HINCRBY', KEYS[3], ARGV[n], ARGV[n + 1])
end
return 1
"""


class ViewSwitched(Exception):
    """A rebuilt view took the place of this one during a batch: go on at the offset noted there."""


def timestamp(time: datetime) -> str:
    """UTC with microseconds, always 27 characters, so that text order is time order."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def feed_entry(event: PostPut) -> bytes:
    """The entry of a post as readers get it. The script relies on its first two fields."""
    raise NotImplementedError("Lab 07, step 1: write feed_entry")


class Projection:
    """Applies events to the view (blocking client: for the projector's process only).

    `searching`: others may keep a list alive for longer than what is known of one of its posts, so an
    entry of such a post is looked for. A view that is being made has none.
    """

    def __init__(self, redis: Redis, *, searching: bool = True) -> None:
        self._redis = redis
        self._searching = searching
        self._sha = ""

    def apply(self, events: Sequence[PostEvent], next_offset: int, skipped: int, dead: int) -> None:
        """Apply `events` in order, then note `next_offset` and the counts.

        Raises redis.exceptions.RedisError, and ViewSwitched when the view was rebuilt meanwhile;
        applying the same events again is then safe.
        """
        raise NotImplementedError("Lab 07, step 3: write Projection.apply")

    def _send(self, events: Sequence[PostEvent], next_offset: int, skipped: int, dead: int) -> None:
        raise NotImplementedError("Lab 07, step 3: write Projection._send")

    def next_offset(self) -> int | None:
        """Where to go on, as noted with the last effects; None in an empty Redis."""
        noted = self._redis.get(keys.OFFSET)
        return None if noted is None else int(noted)
