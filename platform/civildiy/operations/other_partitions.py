"""What a rebuild needs to know of partitions other than the first: with one partition there are none.

A position is an int for a topic of one partition, and Offsets for any other.
"""

from collections.abc import Callable, Sequence
from typing import Any

from redis import Redis

from civildiy.contracts.posts.whole_topic import Offsets
from civildiy.feed import keys

BEHIND_IN_ANOTHER = """
-- Stands before SWITCH, and looks at the other partitions: the new view may be behind the live one in any.
-- ARGV: after those of SWITCH, a key and the next offset of the new view for each other partition
for n = 4, #ARGV, 2 do
  if tonumber(redis.call('GET', ARGV[n]) or 0) > tonumber(ARGV[n + 1]) then
    return 'behind'
  end
end
"""


def by_partition(position: int | Offsets) -> Sequence[int]:
    """Return the offset of each partition."""
    return position.by_partition if isinstance(position, Offsets) else (position,)


def first_of(position: int | Offsets) -> int:
    """Return the offset of the first partition."""
    return by_partition(position)[0]


def others_of(position: int | Offsets) -> Sequence[str | int]:
    """Return key and offset of each other partition, one after the other."""
    others = enumerate(by_partition(position)[1:], start=1)
    return [word for number, offset in others for word in (keys.offset_of(number), offset)]


def forget_if_beyond(live: Redis, end: Callable[[], Any]) -> None:
    """Delete the offsets that are beyond the end of the topic: they are of an earlier topic of this name."""
    # The offsets are read before the end, which moves.
    noted = [int(live.get(keys.offset_of(0)) or 0)]
    ends = by_partition(end())
    if len(ends) > 1:
        noted += [int(live.get(keys.offset_of(number)) or 0) for number in range(1, len(ends))]
        ends = by_partition(end())
    for number, (offset, last) in enumerate(zip(noted, ends, strict=True)):
        if offset > last:
            live.delete(keys.offset_of(number))
