"""The query side: a page of a stream is one round trip to Redis, and the stored bytes as they are.

Entries were encoded once, when they were projected; a read joins them and decodes nothing.
"""

from redis.asyncio import Redis

from civildiy.feed import keys
from civildiy.feed.schemas import PageQuery


async def page(redis: Redis, key: str, query: PageQuery) -> bytes:
    """One page of the list at `key`, as the JSON document that the client gets."""
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.lrange(key, query.skip, query.skip + query.limit - 1)
        pipeline.llen(key)
        entries, total = await pipeline.execute()
    return b'{"items":[%b],"total":%d,"limit":%d,"skip":%d}' % (
        b",".join(entries),
        total,
        query.limit,
        query.skip,
    )


async def everybody(redis: Redis, query: PageQuery) -> bytes:
    """What everybody did."""
    return await page(redis, keys.GLOBAL, query)


async def of_user(redis: Redis, user_id: int, query: PageQuery) -> bytes:
    """What one user did."""
    return await page(redis, keys.of_user(user_id), query)
