"""Measures the cost of a page: read from the view, and computed by MongoDB on demand.

The measurement uses databases of its own, which it deletes at the end: `costs` in MongoDB and number 2 in
Redis. The page from Redis is read by civildiy.feed.queries, as the service does.
"""

import asyncio
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from pymongo import DESCENDING, MongoClient
from redis.asyncio import Redis

from civildiy.feed import keys, queries
from civildiy.feed.schemas import PageQuery

SIZES = (100, 1_000, 10_000, 100_000)
DATABASE = "costs"
REDIS_DATABASE = 2
PAGE = PageQuery(limit=20)
READS = 300
SECONDS = 1.5
"""Each way of reading is measured READS times or for this long, whichever ends first; at least 3 times."""
BATCH = 5_000
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Cost:
    """Median milliseconds for one page when there are `posts` posts."""

    posts: int
    redis_ms: float
    mongodb_ms: float


def measure(mongo: MongoClient[dict[str, Any]], redis: Redis, sizes: Sequence[int] = SIZES) -> list[Cost]:
    """Return the costs at each size, smallest first; `redis` is a client of REDIS_DATABASE, which is emptied.

    Raises PyMongoError and RedisError.
    """
    if (database := redis.connection_pool.connection_kwargs["db"]) != REDIS_DATABASE:
        raise ValueError(
            f"measure() would empty Redis database {database}; it may empty {REDIS_DATABASE} only"
        )
    posts = mongo[DATABASE]["posts"]
    mongo.drop_database(DATABASE)
    with asyncio.Runner() as runner:

        async def add(entries: list[bytes]) -> None:
            await redis.lpush(keys.GLOBAL, *entries)
            await redis.ltrim(keys.GLOBAL, 0, keys.GLOBAL_MAX - 1)

        def from_redis() -> None:
            runner.run(queries.page(redis, keys.GLOBAL, PAGE))

        def from_mongodb() -> None:
            newest = posts.find({}, {"_id": 0}).sort("updated_at", DESCENDING).limit(PAGE.limit)
            orjson.dumps({"items": list(newest), "total": posts.count_documents({})})

        try:
            runner.run(_empty(redis))
            costs, there = [], 0
            for size in sorted(sizes):
                for batch in _documents(there, size):
                    posts.insert_many(batch)
                    entries = [orjson.dumps({k: v for k, v in post.items() if k != "_id"}) for post in batch]
                    runner.run(add(entries))
                there = size
                costs.append(Cost(size, _median_ms(from_redis), _median_ms(from_mongodb)))
            return costs
        finally:
            mongo.drop_database(DATABASE)
            runner.run(_empty(redis))
            runner.run(redis.aclose())


async def _empty(redis: Redis) -> None:
    await redis.flushdb(asynchronous=True)


def _documents(first: int, end: int) -> Iterator[list[dict[str, Any]]]:
    for begin in range(first, end, BATCH):
        yield [
            {
                "user_id": number % 500, "title": f"post {number}", "content": "x" * 300, "tags": [],
                "updated_at": START + timedelta(seconds=number),
            }
            for number in range(begin, min(begin + BATCH, end))
        ]  # fmt: skip


def _median_ms(read: Callable[[], None]) -> float:
    read()
    taken: list[float] = []
    ending = time.perf_counter() + SECONDS
    while len(taken) < READS and (len(taken) < 3 or time.perf_counter() < ending):
        began = time.perf_counter()
        read()
        taken.append((time.perf_counter() - began) * 1000)
    return round(statistics.median(taken), 3)
