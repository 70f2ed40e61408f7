"""The query side: a page of a stream is one command to Redis, and the stored bytes as they are.

Entries were encoded once, when they were projected. Redis joins them, so that a read decodes nothing
here and the length of the list is that of the very same moment.
"""

from civildiy.feed import keys
from civildiy.feed.line import Line
from civildiy.feed.schemas import PageQuery

# Lab 08, step 1: PAGE


async def page(redis: Line, key: str, query: PageQuery) -> bytes:
    """One page of the list at `key`, as the JSON document that the client gets. Raises RedisError."""
    raise NotImplementedError("Lab 08, step 1: write page")


async def everybody(redis: Line, query: PageQuery) -> bytes:
    """What everybody did."""
    return await page(redis, keys.GLOBAL, query)


async def of_user(redis: Line, user_id: int, query: PageQuery) -> bytes:
    """What one user did."""
    return await page(redis, keys.of_user(user_id), query)
