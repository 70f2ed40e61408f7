"""The stores create their tables and indexes, each in its own database only."""

import asyncio
from typing import Any

from pymongo import AsyncMongoClient
from support import ENDPOINTS

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
