"""The projection: how an event changes the view in Redis.

Redelivered, duplicated and late events change nothing: the view knows each post's version, and
the check and the edit are one script. An entry is stored as the bytes that readers get.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from redis import Redis
from redis.exceptions import NoScriptError

from civildiy.contracts.posts.envelope import PostData, PostEvent, PostPut
from civildiy.feed import keys
from civildiy.feed.projector.note import Noted

LIST_EDITS = """
-- The first part of SCRIPT: names for its input, and the edits of a list that is kept newest first.
-- KEYS: 1 the global list, 2 the author's list, 3 the hash of the post
-- ARGV: 1 version of the post, 2 entry ('' removes the post), 3 and 4 greatest length of the global list
--       and of the author's, 5 expiry of a list and 6 of the hash in seconds, 7 '1' to search the lists
--       for a post whose hash has expired

local all, own, post = KEYS[1], KEYS[2], KEYS[3]
local version, entry = ARGV[1], ARGV[2]
-- Entries begin with their time and event id, both of fixed width: this prefix orders them.
local ORDER = '^{"timestamp":"([^"]*)","event_id":"([^"]*)"'
local function order(item)
  local time, id = string.match(item, ORDER)
  return (time or '') .. (id or '')  -- what cannot be read counts as the oldest
end

local function insert(list, most)
  -- Put `entry` at its place in time. If the list has `most` entries already, it has one more afterwards.
  local place = order(entry)
  local newest = redis.call('LINDEX', list, 0)
  if not newest or order(newest) < place then
    redis.call('LPUSH', list, entry)
  elseif redis.call('LLEN', list) >= most and place < order(redis.call('LINDEX', list, -1)) then
    return  -- older than all that a full list keeps
  else
    -- A late event: find its place by binary search, for the list is in order.
    local first, last = 0, redis.call('LLEN', list)
    while first < last do
      local middle = math.floor((first + last) / 2)
      if order(redis.call('LINDEX', list, middle)) < place then
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
end

local function remove(list, item)
  -- Remove the entry whose bytes are `item`.
  local oldest = redis.call('LINDEX', list, -1)
  -- An older entry has left the list already: LREM would read all of it and find nothing.
  if oldest and order(oldest) <= order(item) then
    redis.call('LREM', list, 1, item)
  end
end

local function search(list)
  -- Remove the entry of this post from `list` without knowing its bytes: reads the whole list.
  -- JSON escapes a quote inside of a text, so no title or content can hold this.
  local field = '"post_id":"' .. string.match(post, '[^:]*$') .. '"'
  for _, item in ipairs(redis.call('LRANGE', list, 0, -1)) do
    if string.find(item, field, 1, true) then
      redis.call('LREM', list, 1, item)
    end
  end
end

local function renew()
  -- Set the expiry of both lists and of the hash again.
  redis.call('EXPIRE', all, ARGV[5])
  redis.call('EXPIRE', own, ARGV[5])
  redis.call('EXPIRE', post, ARGV[6])
end
"""

# Lab 07, step 2: SCRIPT


def timestamp(time: datetime) -> str:
    """UTC with microseconds, always 27 characters, so that text order is time order."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _post_fields(post: PostData) -> dict[str, Any]:
    """Return the fields of an entry from `post_id` to `created_at`, in their order."""
    return {
        "post_id": post.post_id,
        "user_id": post.user_id,
        "title": post.title,
        "content": post.content,
        "tags": post.tags,
        "created_at": timestamp(post.created_at),
    }


def feed_entry(event: PostPut) -> bytes:
    """Return the entry of a post: UTF-8 JSON, stored in Redis and sent to readers as these bytes.

    The fields, in this order: timestamp, event_id, event_type, post_id, user_id, title, content, tags,
    created_at, version. `timestamp` is the event's time and `version` its `postversion`; both times are
    written by `timestamp()`. `_post_fields(event.data)` returns a dict of the fields from `post_id` to
    `created_at`. LIST_EDITS compares entries by their first two fields.

    Example: '{"timestamp":"2026-01-31T09:02:00.000000Z","event_id":"5f0c…","event_type":"post.created",…}'
    """
    raise NotImplementedError("Lab 07, step 1: write feed_entry")


class Projection(Noted):
    """Applies events to the view. The Redis client is blocking, so a web service cannot use this class.

    It stores the offset of one partition: `_note(generation, next_offset, **counts)` is in note.py.

    `searching`: the hash of a post expires after 9 days, but its entry can stay in a list for longer, because
    each new post renews the list. SCRIPT then has to search for the entry. A rebuild passes False, because
    it fills empty lists, in which there is nothing to find.
    """

    def __init__(self, redis: Redis, partition: int = 0, *, searching: bool = True) -> None:
        super().__init__(redis, partition)
        self._searching = searching
        self._sha = ""

    def apply(self, events: Sequence[PostEvent], next_offset: int, skipped: int, dead: int) -> None:
        """Apply `events` in order with `_send`, also when Redis does not know the script yet.

        Example: `apply(events, 120, 1, 0)` for the records up to offset 119, one of which was skipped.

        `next_offset` is the offset after the last record of the batch. `skipped` and `dead` count the records
        of the batch that are not in `events`. On NoScriptError, load SCRIPT with
        `self._redis.script_load(SCRIPT)`, keep the hash that it returns in `self._sha`, and call `_send`
        again. Raises redis.exceptions.RedisError, and ViewSwitched when Redis holds another view than before.
        Let both pass to the caller, which reads the same events again; applying them twice does no harm.
        """
        raise NotImplementedError("Lab 07, step 3: write Projection.apply")

    def _send(self, events: Sequence[PostEvent], next_offset: int, skipped: int, dead: int) -> None:
        """Run SCRIPT once for each event in one pipeline, then call `_note` with the number of each result.

        Example: the answers `[b"g", b"applied", b"stale"]` lead to `_note(b"g", 120, applied=1, stale=1, …)`.

        The pipeline (`self._redis.pipeline(transaction=False)`) begins with `get(keys.GENERATION)`. For each
        event it holds `evalsha(sha, 3, *self._input(event))`. As long as the script has not been loaded, send
        forty zeros as the sha. `pipeline.execute()` returns the answers in order: the generation (bytes or
        None), then b"applied" or b"stale" for each event. It raises the first error among them.
        """
        raise NotImplementedError("Lab 07, step 3: write Projection._send")

    def _input(self, event: PostEvent) -> tuple[str | bytes | int, ...]:
        """Return what SCRIPT gets for one event: three keys and seven arguments, as LIST_EDITS names them."""
        lists = (keys.GLOBAL, keys.of_user(event.data.user_id), keys.of_post(event.data.post_id))
        entry = feed_entry(event) if isinstance(event, PostPut) else b""
        limits = (keys.GLOBAL_MAX, keys.USER_MAX, keys.LIST_SECONDS, keys.POST_SECONDS)
        return (*lists, event.postversion, entry, *limits, int(self._searching))
