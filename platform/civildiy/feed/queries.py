"""The query side: a page of a stream is one command to Redis, and the stored bytes as they are.

Entries were encoded once, when they were projected. Redis joins them, so that a read decodes nothing
here and the length of the list is that of the very same moment.
"""

from civildiy.feed import keys
from civildiy.feed.line import Line
from civildiy.feed.schemas import PageQuery

PAGE = """
-- One page of a list, joined by commas, and the length of the whole list.
-- KEYS: list  ARGV: index of the first and of the last entry, counted from 0
return {
  redis.call('LLEN', KEYS[1]),
  table.concat(redis.call('LRANGE', KEYS[1], ARGV[1], ARGV[2]), ',')
}
"""


async def page(redis: Line, key: str, query: PageQuery) -> bytes:
    """One page of the list at `key`, as the JSON document that the client gets. Raises RedisError."""
    last = query.skip + query.limit - 1
    total, items = await redis.ask("EVAL_RO", PAGE, 1, key, query.skip, last)
    return b'{"items":[%b],"total":%d,"limit":%d,"skip":%d}' % (items, total, query.limit, query.skip)


async def everybody(redis: Line, query: PageQuery) -> bytes:
    """What everybody did."""
    return await page(redis, keys.GLOBAL, query)


async def of_user(redis: Line, user_id: int, query: PageQuery) -> bytes:
    """What one user did."""
    return await page(redis, keys.of_user(user_id), query)
