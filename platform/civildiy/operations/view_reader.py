"""Reads the whole view from Redis, to check it; the service never reads it like this."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import orjson
from redis import Redis

from civildiy.feed import keys

BATCH = 1000
_USER_LIST = re.compile(keys.of_user(0).replace("0", r"(\d+)").encode())


@dataclass(frozen=True)
class Entry:
    """One item of a list. `post_id` is empty when the item is not an entry at all."""

    raw: bytes
    post_id: str = ""
    version: int = 0
    order: str = ""
    """Time and event id: later entries have the greater text."""
    user_id: int = 0


@dataclass(frozen=True)
class Known:
    """What the view stores about one post, apart from the lists."""

    version: int
    has_entry: bool


def parse(raw: bytes) -> Entry:
    """Parse an item of a list as an entry."""
    try:
        read = orjson.loads(raw)
        return Entry(
            raw,
            post_id=str(read["post_id"]),
            version=int(read["version"]),
            order=str(read["timestamp"]) + str(read["event_id"]),
            user_id=int(read["user_id"]),
        )
    except (ValueError, KeyError, TypeError):
        return Entry(raw)


def lists(redis: Redis) -> Iterator[tuple[int | None, list[Entry]]]:
    """Yield each list that exists: the global feed (None) and the feed of each user."""
    yield None, _list(redis, keys.GLOBAL)
    for name in redis.scan_iter(keys.of_user("*"), count=BATCH):
        if found := _USER_LIST.fullmatch(name):
            yield int(found[1]), _list(redis, name.decode())


def _list(redis: Redis, key: str) -> list[Entry]:
    return [parse(bytes(raw)) for raw in redis.lrange(key, 0, -1)]  # type: ignore[arg-type]


def known_posts(redis: Redis) -> dict[str, Known]:
    """Return what the view stores about each post, by post id."""
    prefix = len(keys.of_post(""))
    found: dict[str, Known] = {}
    names = list(redis.scan_iter(keys.of_post("*"), count=BATCH))
    for begin in range(0, len(names), BATCH):
        some = names[begin : begin + BATCH]
        pipeline = redis.pipeline(transaction=False)
        for name in some:
            pipeline.hget(name, "version")
            pipeline.hexists(name, "entry")
        answers = pipeline.execute()
        for name, version, has_entry in zip(some, answers[::2], answers[1::2], strict=True):
            if version is not None:
                found[name.decode()[prefix:]] = Known(int(version), bool(has_entry))
    return found
