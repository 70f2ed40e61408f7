"""The progress of the view, which the projector records in Redis together with the entries."""

from dataclasses import dataclass

from redis.asyncio import Redis

from civildiy.feed import keys
from civildiy.feed.schemas import Counters

READ = """
-- All of it in one step: an event that is applied between two reads would make them disagree.
-- Not MULTI and EXEC: a full Redis refuses every command in a transaction, also one that only reads.
return {
  redis.call('LLEN', KEYS[1]),
  redis.call('MGET', KEYS[2], KEYS[3]),
  redis.call('HGETALL', KEYS[4])
}
"""


@dataclass(frozen=True)
class Progress:
    """The state of the view at one moment."""

    entries: int
    """Length of the global list."""
    next_offset: int | None
    """Offset of the first event that is not applied; None before the first event."""
    projector_runs: bool
    counters: Counters


class ProgressReader:
    """Reads the progress of the view; writes nothing."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def read(self) -> Progress:
        """Return the state of the view, all of it from one moment. Raises RedisError."""
        answer = await self._redis.eval_ro(READ, 4, keys.GLOBAL, keys.OFFSET, keys.PROJECTOR, keys.COUNTERS)
        entries, (offset, projector), flat = answer
        counters = dict(zip(flat[::2], flat[1::2], strict=True))
        return Progress(
            entries=entries,
            next_offset=None if offset is None else int(offset),
            projector_runs=projector is not None,
            counters=Counters(**{name.decode(): int(count) for name, count in counters.items()}),
        )
