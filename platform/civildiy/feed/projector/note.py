"""How far the view is along one partition: the scripts that store this offset, and the fence around it.

The owner of a partition is the projector whose **epoch** is in Redis. A projector claims its partition there
before it reads the offset. From then on another process, which owned the partition before, stores nothing:
it was paused or cut off, and does not know yet that its group goes on without it (a zombie).
"""

from uuid import uuid4

from redis import Redis

from civildiy.feed import keys

NOTE = """
-- Store the offset and the counts of a batch, unless Redis holds another view than before the batch:
-- a rebuild has replaced it, its data were lost, or an older copy was restored.
-- KEYS: generation, offset, counters, epoch
-- ARGV: generation before the batch, offset stored before it ('' for none), next offset,
--       epoch of this projector ('' for a tool), then name and number of each counter
-- Returns 1, or 0 when this is another view, or the epoch of another projector that owns the partition now.

local epoch = redis.call('GET', KEYS[4])
if epoch and epoch ~= ARGV[4] then
  return epoch
end
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] or (redis.call('GET', KEYS[2]) or '') ~= ARGV[2]
  or (epoch or '') ~= ARGV[4] then
  return 0
end
redis.call('SET', KEYS[2], ARGV[3])
for n = 5, #ARGV, 2 do
  redis.call('HINCRBY', KEYS[3], ARGV[n], ARGV[n + 1])
end
return 1
"""

CLAIM = """
-- Make this projector the owner of the partition, and return where to go on.
-- KEYS: generation, offset, epoch
-- ARGV: a name for a view that has none, epoch of this projector ('' for a tool)
-- Returns {1, offset}, or {0, epoch} when a projector of a later generation of the group has claimed it.

-- An emptied view gets a name, so that it is not taken for the one before it.
redis.call('SET', KEYS[1], ARGV[1], 'NX')
if ARGV[2] ~= '' then
  local epoch = redis.call('GET', KEYS[3])
  local function generation(name)
    return tonumber(string.match(name, '^%d+') or 0)
  end
  if epoch and generation(epoch) > generation(ARGV[2]) then
    return {0, epoch}
  end
  redis.call('SET', KEYS[3], ARGV[2])
end
return {1, redis.call('GET', KEYS[2])}
"""

REPLACE = """
-- KEYS: epoch  ARGV: the epoch to replace, and that of this projector
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2])
end
"""


class ViewSwitched(Exception):
    """Redis holds another view than before: a rebuild has replaced it, or its data were lost or restored.

    Its own offset is in Redis: continue there.
    """


class Fenced(Exception):
    """Another projector owns the partition; `epoch` is the one that it has stored."""

    def __init__(self, epoch: bytes) -> None:
        super().__init__(f"the epoch of the partition is {epoch.decode(errors='replace')}")
        self.epoch = epoch


class Noted:
    """The offset of one partition in the view. Raises RedisError."""

    def __init__(self, redis: Redis, partition: int = 0) -> None:
        self._redis = redis
        self._offset_key, self._epoch_key = keys.offset_of(partition), keys.epoch_of(partition)
        self.epoch = ""
        """The epoch under which a projector claims the partition; a tool, which claims nothing, has none."""
        self._noted = b""
        """The offset that was stored last, as bytes; empty if none was."""

    def _note(self, generation: bytes | None, next_offset: int, **counts: int) -> None:
        """Store the next offset and add the counts to the counters. Raises ViewSwitched and Fenced.

        `generation` is the name of the view that the pipeline read before the effects. Example:
        `self._note(generation, 120, applied=7, stale=2, skipped=0, dead=1)`.
        """
        names = (keys.GENERATION, self._offset_key, keys.COUNTERS, self._epoch_key)
        pairs = [word for pair in counts.items() for word in pair]
        before = (generation or b"", self._noted)
        answer = self._redis.eval(NOTE, len(names), *names, *before, next_offset, self.epoch, *pairs)
        if isinstance(answer, bytes):
            raise Fenced(answer)
        if not answer:
            raise ViewSwitched
        self._noted = b"%d" % next_offset

    def expect_same_view(self) -> None:
        """Raise ViewSwitched when the view is not as it was left."""
        if (self._redis.get(self._offset_key) or b"") != self._noted:
            raise ViewSwitched

    def next_offset(self) -> int | None:
        """Claim the partition and return where to continue; None in an empty Redis. Raises Fenced."""
        names = (keys.GENERATION, self._offset_key, self._epoch_key)
        claimed, answer = self._redis.eval(CLAIM, len(names), *names, str(uuid4()), self.epoch)
        if not claimed:
            raise Fenced(answer)
        self._noted = bytes(answer or b"")
        return int(self._noted) if self._noted else None

    def replace(self, epoch: bytes) -> None:
        """Replace the epoch that refused this projector, if it is still stored.

        Only for a projector that the broker knows as the owner: see `civildiy.feed.projector.group`.
        """
        self._redis.eval(REPLACE, 1, self._epoch_key, epoch, self.epoch)
