"""Look into the services' databases, each as the service's own role."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from pymongo import MongoClient
from redis import Redis

from lab.backends.addresses import Addresses
from lab.backends.settings import read

Document = dict[str, Any]
POSTS = "posts"
"""Name of the posts' database, and of its collection."""


def environment(backend: Addresses, service: str) -> dict[str, str]:
    """Return the settings that a service runs with."""
    values = backend.variables()
    return read("common", values) | read(service, values)


def rows(backend: Addresses, service: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Return rows of the service's PostgreSQL database. Raises psycopg.Error."""
    settings = environment(backend, service)
    with psycopg.connect(
        host=settings["POSTGRES_HOST"], port=settings["POSTGRES_PORT"], dbname=settings["POSTGRES_DATABASE"],
        user=settings["POSTGRES_USER"], password=settings["POSTGRES_PASSWORD"], connect_timeout=5,
    ) as connection:  # fmt: skip
        return connection.execute(statement, values).fetchall()


@contextmanager
def mongodb(address: str) -> Iterator[MongoClient[Document]]:
    """Yield a client of the MongoDB server at `address` (host:port)."""
    with MongoClient[Document](
        f"mongodb://{address}", directConnection=True, tz_aware=True, serverSelectionTimeoutMS=5000
    ) as client:
        yield client


def index_names(client: MongoClient[Document]) -> set[str]:
    """Return the names of the indexes of the posts, without the one that MongoDB makes itself."""
    return {str(name) for name in client[POSTS][POSTS].index_information()} - {"_id_"}


def list_lengths(address: str) -> dict[str, int]:
    """Return the length of each list of the feed in Redis at `address` (host:port). Raises RedisError."""
    host, _, port = address.rpartition(":")
    with Redis(host=host, port=int(port), decode_responses=True, socket_timeout=5) as redis:
        names = sorted(redis.scan_iter("feed:activity:*", count=1000))
        pipeline = redis.pipeline(transaction=False)
        for name in names:
            pipeline.llen(name)
        return dict(zip(names, pipeline.execute(), strict=True))
