"""The query side: a page of a stream is one command to Redis, and the stored bytes are sent as they are.

The projector has already encoded each entry as JSON. Redis joins the entries of a page, so a read decodes
nothing here, and the length of the list belongs to the same moment as the entries.
"""

from redis.asyncio import Redis

from civildiy.feed import keys
from civildiy.feed.schemas import PageQuery

# Lab 08, step 1: PAGE


async def page(redis: Redis, key: str, query: PageQuery) -> bytes:
    """Return one page of the list at `key`, as the JSON document that the client gets. Raises RedisError."""
    raise NotImplementedError("Lab 08, step 1: write page")


async def everybody(redis: Redis, query: PageQuery) -> bytes:
    """Return a page of the global feed."""
    return await page(redis, keys.GLOBAL, query)


async def of_user(redis: Redis, user_id: int, query: PageQuery) -> bytes:
    """Return a page of one user's feed."""
    return await page(redis, keys.of_user(user_id), query)
