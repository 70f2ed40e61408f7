"""The projection: how an event changes the view in Redis.

Redelivered, duplicated and late events change nothing: the view knows each post's version, and
the check and the edit are one script. An entry is stored as the bytes that readers get.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

import orjson
from redis import Redis
from redis.exceptions import NoScriptError

from civildiy.contracts.posts.envelope import PostEvent, PostPut
from civildiy.feed import keys

# Lab 07, step 2: SCRIPT

NOTE = """
-- Note what a batch did, unless this is no longer the view that the batch was meant for: it was
-- switched for a rebuilt one in between, emptied, or set back.
-- KEYS: generation, offset, counters
-- ARGV: generation before the batch, offset noted before it ('' for none), next offset,
--       then name and number of each counter
-- Returns 1, or 0 when this is another view.

if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] or (redis.call('GET', KEYS[2]) or '') ~= ARGV[2] then
  return 0
end
redis.call('SET', KEYS[2], ARGV[3])
for n = 4, #ARGV, 2 do
  redis.call('HINCRBY', KEYS[3], ARGV[n], ARGV[n + 1])
end
return 1
"""


class ViewSwitched(Exception):
    """Another view stands where this one was: a rebuilt one, an emptied one, one of an earlier moment.

    Go on at the offset that is noted there.
    """


def timestamp(time: datetime) -> str:
    """UTC with microseconds, always 27 characters, so that text order is time order."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


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
        self._noted = b""
        """Offset that was noted last; empty when none was."""

    def apply(self, events: Sequence[PostEvent], next_offset: int, skipped: int, dead: int) -> None:
        """Apply `events` in order, then note `next_offset` and the counts.

        Raises redis.exceptions.RedisError, and ViewSwitched when this is another view than before;
        applying the same events again is then safe.
        """
        raise NotImplementedError("Lab 07, step 3: write Projection.apply")

    def _send(self, events: Sequence[PostEvent], next_offset: int, skipped: int, dead: int) -> None:
        raise NotImplementedError("Lab 07, step 3: write Projection._send")

    def _note(self, generation: bytes | None, next_offset: int, **counts: int) -> None:
        """Note the next offset and the counts. Raises RedisError and ViewSwitched.

        `generation` is the view's name as it was before the effects.
        """
        names = (keys.GENERATION, keys.OFFSET, keys.COUNTERS)
        pairs = [word for pair in counts.items() for word in pair]
        mine = self._redis.eval(NOTE, len(names), *names, generation or b"", self._noted, next_offset, *pairs)
        if not mine:
            raise ViewSwitched
        self._noted = b"%d" % next_offset

    def expect_same_view(self) -> None:
        """Raises ViewSwitched when the view is not as it was left, and RedisError."""
        if (self._redis.get(keys.OFFSET) or b"") != self._noted:
            raise ViewSwitched

    def next_offset(self) -> int | None:
        """Where to go on, as noted with the last effects; None in an empty Redis. Raises RedisError."""
        # A name for a view that has none: an emptied one is then not taken for the one before it.
        self._redis.set(keys.GENERATION, str(uuid4()), nx=True)
        self._noted = bytes(self._redis.get(keys.OFFSET) or b"")  # type: ignore[arg-type]
        return int(self._noted) if self._noted else None
