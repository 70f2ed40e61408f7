"""The query side: a page of a stream is one command to Redis, and the stored bytes are sent as they are.

The projector has already encoded each entry as JSON. Redis joins the entries of a page, so a read decodes
nothing here, and the length of the list belongs to the same moment as the entries.
"""

from redis.asyncio import Redis

from civildiy.feed import keys
from civildiy.feed.schemas import PageQuery

PAGE = """
-- One page of a list, joined by commas, and the length of the whole list.
-- KEYS: list  ARGV: index of the first and of the last entry, counted from 0
local total = redis.call('LLEN', KEYS[1])
local entries = redis.call('LRANGE', KEYS[1], ARGV[1], ARGV[2])
return {total, table.concat(entries, ',')}
"""


async def page(redis: Redis, key: str, query: PageQuery) -> bytes:
    """Return one page of the list at `key`, as the JSON document that the client gets. Raises RedisError.

    PAGE is a Lua script with one key, the list, and two arguments, the indexes of the first and of the last
    entry, counted from 0. It returns the length of the whole list and the entries of the page. One call of
    `await redis.eval_ro(PAGE, 1, key, first, last)` runs it and returns a list with an int and bytes.
    `query.skip` (at least 0) and `query.limit` (1 to 100) are int. Entries are JSON: join them by ','.

    Example: b'{"items":[{…},{…}],"total":57,"limit":2,"skip":0}'
    """
    last = query.skip + query.limit - 1
    total, items = await redis.eval_ro(PAGE, 1, key, query.skip, last)
    return b'{"items":[%b],"total":%d,"limit":%d,"skip":%d}' % (items, total, query.limit, query.skip)


async def everybody(redis: Redis, query: PageQuery) -> bytes:
    """Return a page of the global feed."""
    return await page(redis, keys.GLOBAL, query)


async def of_user(redis: Redis, user_id: int, query: PageQuery) -> bytes:
    """Return a page of one user's feed."""
    return await page(redis, keys.of_user(user_id), query)
