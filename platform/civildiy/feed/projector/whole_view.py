"""The projection of a rebuild: it reads all partitions of the topic, and stores an offset for each."""

from redis import Redis

from civildiy.contracts.posts.whole_topic import Offsets
from civildiy.feed.projector.note import Noted
from civildiy.feed.projector.projection import Projection


class WholeProjection(Projection):
    """Applies events of all partitions to a new view, which no projector writes to. See Projection."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis, searching=False)
        self._others: dict[int, Noted] = {}

    def _note(self, generation: bytes | None, next_offset: int | Offsets, **counts: int) -> None:
        """Store the next offset of each partition. With one partition it is an int. Raises ViewSwitched."""
        if not isinstance(next_offset, Offsets):
            super()._note(generation, next_offset, **counts)
            return
        first, *others = next_offset.by_partition
        super()._note(generation, first, **counts)
        for number, offset in enumerate(others, start=1):
            noted = self._others.setdefault(number, Noted(self._redis, number))
            noted._note(generation, offset)
