"""Pages of a stream that do not shift: the client names the last entry it saw, not how many it saw.

With `skip`, an entry that is added between two requests moves all others by one place, so the client reads
one of them twice. A cursor names a place in the order instead: time and event id of an entry, by which the
list is sorted. The cursor stays valid when that entry moves, leaves the list or is deleted.

The cursor of the next page is read from the bytes that are sent anyway, so a first page costs no extra
command.
"""

from collections.abc import Awaitable, Callable

from redis.asyncio import Redis

from civildiy.chassis.pages import PAGE_BYTES, SHORT
from civildiy.feed.schemas import PageQuery

_READ = """
-- At most so many entries, until they are a page of bytes. In parts: Lua keeps what it has read until it
-- collects its garbage, and that memory is not part of Redis' maxmemory.
local function read(list, start, most, room, step)
  local items = {}
  while #items < most and room > 0 do
    local from = start + #items
    local part = redis.call('LRANGE', list, from, from + math.min(step, most - #items) - 1)
    if #part == 0 then break end
    for _, item in ipairs(part) do
      items[#items + 1] = item
      room = room - #item
    end
  end
  return items, room
end
"""

FITTING = f"""{_READ}
-- How many entries fit into a page; as many as were asked for, if the list ends before the page is full.
-- KEYS: list  ARGV: index of the first entry, most entries, bytes of a page, entries to read at once
local most = tonumber(ARGV[2])
local items, room = read(KEYS[1], tonumber(ARGV[1]), most, tonumber(ARGV[3]), tonumber(ARGV[4]))
return room > 0 and most or #items
"""

PAGE_BEFORE = f"""{_READ}
-- One page of the entries behind a place in the order, and where it begins.
-- KEYS: list, newest entry first  ARGV: time and event id of the place, entries to skip, and as above
local list, place = KEYS[1], ARGV[1]
local function order(item)
  local time, id = string.match(item, '^{{"timestamp":"([^"]*)","event_id":"([^"]*)"')
  return (time or '') .. (id or '')
end
local length = redis.call('LLEN', list)
local first, last = 0, length
while first < last do  -- binary search: the list is in order
  local middle = math.floor((first + last) / 2)
  if order(redis.call('LINDEX', list, middle)) < place then last = middle else first = middle + 1 end
end
local start = first + ARGV[2]
local items = read(list, start, tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]))
return {{length, start, table.concat(items, ',')}}
"""

_ENTRY = b'{"timestamp":"'
_BETWEEN = b"}," + _ENTRY
_EVENT = b'","event_id":"'
_TOTAL = b'],"total":'
"""The begin of an entry and the end of a page. A text cannot hold them, since its quotes are escaped."""
_LONGEST = 700
"""In bytes: the time and id of an entry. Each of the id's 100 characters takes up to six, as `\\u0001`."""


async def newest(
    redis: Redis, key: str, query: PageQuery, read: Callable[[PageQuery], Awaitable[bytes]]
) -> bytes:
    """Return the page of the list at `key` without a cursor, as JSON. Raises RedisError.

    `read` reads a page of the list as the query asks for it. It is not asked for more entries than fit.
    """
    if query.limit <= SHORT:
        return with_next(await read(query), query.skip + query.limit)
    fitting = int(await redis.eval_ro(FITTING, 1, key, query.skip, query.limit, PAGE_BYTES, SHORT))
    if not 0 < fitting < query.limit:
        return with_next(await read(query), query.skip + query.limit)
    page = with_next(await read(query.model_copy(update={"limit": fitting})), query.skip + fitting)
    ending = max(page.rfind(_TOTAL), 0)
    return page[:ending] + page[ending:].replace(b'"limit":%d,' % fitting, b'"limit":%d,' % query.limit, 1)


async def page_before(redis: Redis, key: str, query: PageQuery) -> bytes:
    """Return the page of the list at `key` after `query.before`, as JSON. Raises RedisError."""
    place = (query.before or "").replace("_", "", 1)
    bounds = (query.skip, query.limit, PAGE_BYTES, SHORT)
    total, start, items = await redis.eval_ro(PAGE_BEFORE, 1, key, place, *bounds)
    page = b'{"items":[%b],"total":%d,"limit":%d,"skip":%d}' % (items, total, query.limit, query.skip)
    return with_next(page, start + query.limit)


def with_next(page: bytes, end: int) -> bytes:
    """Return the page with `next`: the cursor of the page after it, or null.

    `end` is the index, in the whole list, of the first entry after this page. Entries that would make the
    page larger than PAGE_BYTES are left out.
    """
    # This searches the bytes from the end: a regular expression took longer than the rest of the read path.
    ending = page.rfind(_TOTAL)
    if ending < 0:
        return page  # not in the form that civildiy.feed.queries makes
    is_cut = False
    if len(page) > PAGE_BYTES:
        kept = page.rfind(_BETWEEN, 0, PAGE_BYTES)
        kept = kept if kept >= 0 else page.find(_BETWEEN)  # the first entry is larger than a page
        if is_cut := kept >= 0:
            page = page[: kept + 1] + page[ending:]
            ending = kept + 1
    number = ending + len(_TOTAL)
    following = b"null"
    if is_cut or end < int(page[number : page.index(b",", number)]):
        begin = page.rfind(_ENTRY, 0, ending) + len(_ENTRY)
        time, _, rest = page[begin : begin + _LONGEST].partition(_EVENT)
        # As in the script, the id ends at its first quotation mark. A producer of other events may choose any
        # id, so its backslashes are escaped once more: the cursor is the id as the entry spells it.
        following = b'"%b_%b"' % (time, rest.partition(b'"')[0].replace(b"\\", b"\\\\"))
    return b"".join((page[:-1], b',"next":', following, b"}"))
