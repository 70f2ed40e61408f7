"""The progress of the view, which the projector records in Redis together with the entries."""

from dataclasses import dataclass

from redis.asyncio import Redis

from civildiy.feed import keys
from civildiy.feed.schemas import Counters


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
        # MULTI and EXEC: an event that is applied between two of these reads would make them disagree.
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.llen(keys.GLOBAL)
            pipeline.mget(keys.OFFSET, keys.PROJECTOR)
            pipeline.hgetall(keys.COUNTERS)
            entries, (offset, projector), counters = await pipeline.execute()
        return Progress(
            entries=entries,
            next_offset=None if offset is None else int(offset),
            projector_runs=projector is not None,
            counters=Counters(**{name.decode(): int(count) for name, count in counters.items()}),
        )
