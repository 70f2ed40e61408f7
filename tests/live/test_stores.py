"""The stores bring their databases to the shape that they need, and stay in their own."""

import asyncio
from contextlib import suppress
from typing import Any

from pymongo import AsyncMongoClient
from redis.exceptions import ConnectionError as RedisAway
from support import ENDPOINTS

from civildiy.feed.line import Line
from civildiy.posts.store import COLLECTION, ensure_collection

DATABASE = "posts-indexes-test"


def test_indexes_of_another_shape_give_way() -> None:
    async def shaped() -> dict[str, Any]:
        url = f"mongodb://{ENDPOINTS['mongodb']}"
        async with AsyncMongoClient[dict[str, Any]](url, directConnection=True) as client:
            database = client[DATABASE]
            posts = database[COLLECTION]
            try:
                await posts.create_index([("title", 1)], name="user_id")
                await posts.create_index([("expires_at", 1)], name="old name", expireAfterSeconds=3600)
                await ensure_collection(database)
                await ensure_collection(database)
                return dict(await posts.index_information())
            finally:
                await client.drop_database(DATABASE)

    found = asyncio.run(shaped())
    assert set(found) == {"_id_", "user_id", "expiry", "outbox"}
    assert found["user_id"]["key"] == [("user_id", 1), ("_id", -1)]
    assert found["expiry"]["expireAfterSeconds"] == 0


def test_a_line_is_to_one_database_also_after_its_connection_was_lost() -> None:
    host, _, port = ENDPOINTS["redis"].rpartition(":")

    async def asked() -> list[str]:
        line = Line(host, int(port), 5, database=9)
        found = []
        for _ in range(2):
            described: bytes = await line.ask("CLIENT", "INFO")
            fields = dict(field.partition("=")[::2] for field in described.decode().split())
            found.append(fields["db"])
            with suppress(RedisAway):
                await line.ask("CLIENT", "KILL", "ID", fields["id"], "SKIPME", "no")
                await line.ask("PING")  # is not answered any more
        line.close()
        return found

    assert asyncio.run(asked()) == ["9", "9"]
