"""./lab verify needs the same memory for any number of posts."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import verify_memory
from feed_tools import view_redis, writer
from pymongo import MongoClient
from redis import Redis
from support import ENDPOINTS

from civildiy.contracts.posts.topic_reader import Topic
from civildiy.feed import keys
from civildiy.feed.projector.projection import Projection
from civildiy.operations.batches import batches
from civildiy.posts.document import StoredPost, now
from civildiy.posts.snapshot import post_states
from civildiy.posts.store import COLLECTION
from lab.bench.scale import BYTES_OF_A_POST, settled
from lab.home import PLATFORM

FEW, MANY = 10_000, 100_000
MORE_MB = 12.0
"""Verify may use so much more memory for MANY posts than for FEW (measured: 0.4). All posts at once would be
some 180 MB."""
DATABASE, REDIS_DATABASE = "verify-memory", 7
MONGODB = f"mongodb://{ENDPOINTS['mongodb']}/?directConnection=true"


@pytest.fixture
def posts() -> Iterator[Any]:
    with MongoClient[StoredPost](MONGODB, tz_aware=True) as client:
        yield client[DATABASE][COLLECTION]
        client.drop_database(DATABASE)


@pytest.fixture
def view() -> Iterator[Redis]:
    """Provide an empty database of the system's Redis, in which MANY posts find room."""
    with view_redis(REDIS_DATABASE) as redis:
        limit = redis.config_get("maxmemory")["maxmemory"]
        redis.config_set("maxmemory", int(limit) + MANY * BYTES_OF_A_POST)
        redis.flushdb()
        yield redis
        redis.flushdb()
        redis.config_set("maxmemory", limit)


@pytest.mark.thorough
def test_memory_does_not_grow_with_the_posts(posts: Any, view: Redis) -> None:
    writer(1)  # a topic without any record would have to hold all posts
    with Topic(ENDPOINTS["kafka"]) as topic:
        view.set(keys.REBUILD_OFFSET, topic.end())
    few, many = (_verified(posts, view, count) for count in (FEW, MANY))
    assert (few["posts"], many["posts"]) == (FEW, MANY)
    assert (few["findings"], many["findings"]) == (0, 0)
    assert many["entries"] > few["entries"]
    assert many["peak_mb"] - few["peak_mb"] < MORE_MB, (few, many)


def _verified(posts: Any, view: Redis, count: int) -> dict[str, Any]:
    """Bring the posts and their view to `count`, and verify them in a process of its own."""
    there, time = posts.estimated_document_count(), now() - timedelta(days=1)
    numbers = range(there, count)
    for some in batches((settled(n, time + timedelta(milliseconds=n)) for n in numbers), 2_000):
        posts.insert_many(some)
    projection = Projection(view, searching=False)
    projection.next_offset()
    for states in batches(post_states(posts), 500):
        projection.apply([state.event for state in states], 10**12, 0, 0)  # no event of the topic waits
    ran = subprocess.run(
        [sys.executable, Path(verify_memory.__file__), MONGODB, DATABASE,
         f"redis://{ENDPOINTS['redis']}/{REDIS_DATABASE}", ENDPOINTS["kafka"]],
        env={"PYTHONPATH": str(PLATFORM)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found
