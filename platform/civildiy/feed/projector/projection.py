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

SCRIPT = """
-- Apply one event to the view: version check, list edit, trim and expiry in one step.
-- KEYS: list of all, list of the author, hash of the post
-- ARGV: version, entry ('' removes), length of all, length of the author's, list TTL, post TTL,
--       '1' to search the lists for a post whose hash has expired
-- Returns 'applied', or 'stale' when the view has this version or a later one.

local all, own, post = KEYS[1], KEYS[2], KEYS[3]
local version, entry = ARGV[1], ARGV[2]

-- Entries begin with their time and event id, both of fixed width: this prefix orders them.
local ORDER = '^{"timestamp":"([^"]*)","event_id":"([^"]*)"'

local function order(item)
  local time, id = string.match(item, ORDER)
  return (time or '') .. (id or '')  -- what cannot be read counts as the oldest
end

local function insert(list, most)
  local mine = order(entry)
  local newest = redis.call('LINDEX', list, 0)
  if not newest or order(newest) < mine then
    redis.call('LPUSH', list, entry)
  elseif redis.call('LLEN', list) >= most and mine < order(redis.call('LINDEX', list, -1)) then
    return  -- older than all that a full list keeps
  else
    -- A late event: find its place by halves, for the list is in order.
    local first, last = 0, redis.call('LLEN', list)
    while first < last do
      local middle = math.floor((first + last) / 2)
      if order(redis.call('LINDEX', list, middle)) < mine then
        last = middle
      else
        first = middle + 1
      end
    end
    local before = redis.call('LINDEX', list, first)
    if before then
      redis.call('LINSERT', list, 'BEFORE', before, entry)
    else
      redis.call('RPUSH', list, entry)
    end
  end
  redis.call('LTRIM', list, 0, most - 1)
end

local function remove(list, item)
  local oldest = redis.call('LINDEX', list, -1)
  -- What is older has left the list already: searching all of it would be in vain.
  if oldest and order(oldest) <= order(item) then
    redis.call('LREM', list, 1, item)
  end
end

local function search(list)
  -- A quote inside of a text is escaped, so this cannot stand in anybody's words.
  local mine = '"post_id":"' .. string.match(post, '[^:]*$') .. '"'
  for _, item in ipairs(redis.call('LRANGE', list, 0, -1)) do
    if string.find(item, mine, 1, true) then
      redis.call('LREM', list, 1, item)
    end
  end
end

local known = redis.call('HMGET', post, 'version', 'entry')
if known[1] and tonumber(known[1]) >= tonumber(version) then
  return 'stale'
end
if known[2] then
  remove(all, known[2])
  remove(own, known[2])
end
if not known[1] and tonumber(version) > 1 and ARGV[7] == '1' then
  search(all)
  search(own)
end
if entry == '' then
  redis.call('HDEL', post, 'entry')
  redis.call('HSET', post, 'version', version)
else
  redis.call('HSET', post, 'version', version, 'entry', entry)
  insert(all, tonumber(ARGV[3]))
  insert(own, tonumber(ARGV[4]))
end
redis.call('EXPIRE', all, ARGV[5])
redis.call('EXPIRE', own, ARGV[5])
redis.call('EXPIRE', post, ARGV[6])
return 'applied'
"""

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
        try:
            self._send(events, next_offset, skipped, dead)
        except NoScriptError:
            # First use, or a Redis that was restarted: scripts do not survive that.
            self._sha = str(self._redis.script_load(SCRIPT))
            self._send(events, next_offset, skipped, dead)

    def _send(self, events: Sequence[PostEvent], next_offset: int, skipped: int, dead: int) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.get(keys.GENERATION)
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
                int(self._searching),
            )
        generation, *outcomes = pipeline.execute()
        applied = outcomes.count(b"applied")
        stale = len(outcomes) - applied
        self._note(generation, next_offset, applied=applied, stale=stale, skipped=skipped, dead=dead)

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
