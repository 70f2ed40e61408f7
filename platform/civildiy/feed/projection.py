"""The projection: how an event changes the view in Redis.

Redelivered, duplicated and late events change nothing: the view knows each post's version, and
the check and the edit are one script. An entry is stored as the bytes that readers get.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files

import orjson
from redis import Redis
from redis.exceptions import NoScriptError

from civildiy.events.envelope import PostEvent, PostPut
from civildiy.feed import keys

_SCRIPT = files("civildiy.feed").joinpath("apply.lua").read_text()


def timestamp(time: datetime) -> str:
    """UTC with microseconds, always 27 characters, so that text order is time order."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def feed_entry(event: PostPut) -> bytes:
    """The entry of a post as readers get it. The script relies on its first two fields."""
    return orjson.dumps(
        {
            "timestamp": timestamp(event.time),
            "event_id": event.id,
            "event_type": event.type,
            "post_id": event.data.post_id,
            "user_id": event.data.user_id,
            "title": event.data.title,
            "content": event.data.content,
            "tags": event.data.tags,
            "created_at": timestamp(event.data.created_at),
            "version": event.postversion,
        }
    )


class Projection:
    """Applies events to the view (blocking client: for the projector's process only)."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._sha = ""

    def apply(self, events: Sequence[PostEvent], next_offset: int, skipped: int, dead: int) -> None:
        """Apply `events` in order, then note `next_offset` and the counts, in one round trip.

        Raises redis.exceptions.RedisError; applying the same events again is then safe.
        """
        try:
            self._send(events, next_offset, skipped, dead)
        except NoScriptError:
            # First use, or a Redis that was restarted: scripts do not survive that.
            self._sha = str(self._redis.script_load(_SCRIPT))
            self._send(events, next_offset, skipped, dead)

    def _send(self, events: Sequence[PostEvent], next_offset: int, skipped: int, dead: int) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for event in events:
            data = event.data
            pipeline.evalsha(
                self._sha or "0" * 40,
                3,
                keys.GLOBAL,
                keys.of_user(data.user_id),
                keys.of_post(data.post_id),
                event.postversion,
                feed_entry(event) if isinstance(event, PostPut) else b"",
                keys.GLOBAL_MAX,
                keys.USER_MAX,
                keys.LIST_SECONDS,
                keys.POST_SECONDS,
            )
        outcomes = pipeline.execute()
        done = self._redis.pipeline(transaction=True)
        done.set(keys.OFFSET, next_offset)
        applied = outcomes.count(b"applied")
        done.hincrby(keys.COUNTERS, "applied", applied)
        done.hincrby(keys.COUNTERS, "stale", len(outcomes) - applied)
        done.hincrby(keys.COUNTERS, "skipped", skipped)
        done.hincrby(keys.COUNTERS, "dead", dead)
        done.execute()

    def next_offset(self) -> int | None:
        """Where to go on, as noted with the last effects; None in an empty Redis."""
        noted = self._redis.get(keys.OFFSET)
        return None if noted is None else int(noted)
