"""The progress of the view, which the projector records in Redis together with the entries."""

from collections.abc import Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from civildiy.contracts.posts.envelope import MOST_PARTITIONS
from civildiy.feed import keys
from civildiy.feed.schemas import Counters

READ = """
-- All of it in one step: an event that is applied between two reads would make them disagree.
-- Not MULTI and EXEC: a full Redis refuses every command in a transaction, also one that only reads.
return {
  redis.call('LLEN', KEYS[1]),
  redis.call('GET', KEYS[2]),
  redis.call('HGETALL', KEYS[3]),
  redis.call('MGET', unpack(KEYS, 4))
}
"""


_OFFSETS = [keys.offset_of(partition) for partition in range(MOST_PARTITIONS)]


@dataclass(frozen=True)
class Progress:
    """The state of the view at one moment."""

    entries: int
    """Length of the global list."""
    next_offsets: tuple[int | None, ...]
    """By partition, the offset of the first event that is not applied; None before the first event.

    The first partition is always there, another one when it or a later one has an offset.
    """
    projector_runs: bool
    counters: Counters

    @property
    def next_offset(self) -> int | None:
        """The sum of all next offsets: how many events the view has passed. None if there is none."""
        known = [offset for offset in self.next_offsets if offset is not None]
        return sum(known) if known else None


class ProgressReader:
    """Reads the progress of the view; writes nothing."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def read(self) -> Progress:
        """Return the state of the view, all of it from one moment. Raises RedisError."""
        names = (keys.GLOBAL, keys.PROJECTOR, keys.COUNTERS, *_OFFSETS)
        entries, projector, flat, offsets = await self._redis.eval_ro(READ, len(names), *names)
        counters = dict(zip(flat[::2], flat[1::2], strict=True))
        return Progress(
            entries=entries,
            next_offsets=_noted(offsets),
            projector_runs=projector is not None,
            counters=Counters(**{name.decode(): int(count) for name, count in counters.items()}),
        )


def _noted(offsets: Sequence[bytes | None]) -> tuple[int | None, ...]:
    found = [None if offset is None else int(offset) for offset in offsets]
    while len(found) > 1 and found[-1] is None:
        found.pop()
    return tuple(found)
