"""Reads the whole view from Redis, to check it; the service never reads it like this."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import orjson
from redis import Redis

from civildiy.feed import keys
from civildiy.operations.batches import batches

BATCH = 1000
LISTS = 20
"""So many lists are read in one round trip."""
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


class View:
    """The view in Redis, read in parts that fit into memory. Raises RedisError."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.entries = 0
        """The number of entries that `lists` has read."""

    def users(self) -> Iterator[int]:
        """Yield each user who has a list. Redis may name one twice."""
        for name in self._redis.scan_iter(keys.of_user("*"), count=BATCH):
            if found := _USER_LIST.fullmatch(name):
                yield int(found[1])

    def lists(self, users: Iterable[int | None]) -> Iterator[tuple[int | None, list[Entry]]]:
        """Yield the list of each of `users`, which may be empty; None stands for the global feed."""
        for some in batches(users, LISTS):
            pipeline = self._redis.pipeline(transaction=False)
            for user in some:
                pipeline.lrange(keys.GLOBAL if user is None else keys.of_user(user), 0, -1)
            for user, items in zip(some, pipeline.execute(), strict=True):
                self.entries += len(items)
                yield user, [parse(bytes(raw)) for raw in items]

    def post_ids(self) -> Iterator[str]:
        """Yield the id of each post of which the view stores something. Redis may name one twice."""
        prefix = len(keys.of_post(""))
        for name in self._redis.scan_iter(keys.of_post("*"), count=BATCH):
            yield name.decode()[prefix:]

    def known(self, post_ids: Sequence[str]) -> dict[str, Known]:
        """Return what the view stores about these posts, by post id; nothing for the others."""
        pipeline = self._redis.pipeline(transaction=False)
        for post_id in post_ids:
            pipeline.hget(keys.of_post(post_id), "version")
            pipeline.hexists(keys.of_post(post_id), "entry")
        answers = pipeline.execute()
        return {
            post_id: Known(int(version), bool(has_entry))
            for post_id, version, has_entry in zip(post_ids, answers[::2], answers[1::2], strict=True)
            if version is not None
        }
