"""pymongo's clients with the settings of this system: asyncio for services, blocking for workers and tools.

Every client returns times with a time zone. A blocking client also accepts a stored time outside the years
that Python knows: it may stand in a document that another program wrote.
"""

from typing import Any

from pymongo import AsyncMongoClient, MongoClient
from pymongo.errors import ConnectionFailure, ExecutionTimeout, WriteConcernError
from pymongo.monitoring import CommandListener, ConnectionPoolListener

from civildiy.chassis.observability import telemetry

WAIT_MS = 2_000
"""A client waits this long for a connection, and as long for a server that can take its request."""
REQUEST_MS = 4_000
"""A request of a service ends after this, so that its client gets an answer before the gateway gives up."""
SET_UP_WAIT_MS, SET_UP_ANSWER_MS = 1_000, 15_000
"""While the server is set up. A frozen server accepts connections and never answers."""

UNAVAILABLE = (ConnectionFailure, ExecutionTimeout, WriteConcernError)
"""MongoDB cannot serve now, or cannot promise that a write lasts. Other errors are our own mistakes."""


def asynchronous(url: str) -> AsyncMongoClient[Any]:
    """Return an asyncio client for a service; it connects when it is first used."""
    return AsyncMongoClient(
        url,
        tz_aware=True,
        serverSelectionTimeoutMS=WAIT_MS,
        connectTimeoutMS=WAIT_MS,
        timeoutMS=REQUEST_MS,
        event_listeners=_listeners(),
    )


def _listeners() -> list[CommandListener | ConnectionPoolListener]:
    if not telemetry.is_on():
        return []
    from civildiy.chassis.observability.stores.mongodb import MongoSpans
    from civildiy.chassis.observability.stores.mongodb_pool import PoolUse

    return [MongoSpans(), PoolUse()]


def blocking(url: str, *, wait_ms: int = WAIT_MS) -> MongoClient[Any]:
    """Return a blocking client for a worker or a tool. Its requests may take as long as they need."""
    return MongoClient(
        url,
        tz_aware=True,
        serverSelectionTimeoutMS=wait_ms,
        connectTimeoutMS=wait_ms,
        datetime_conversion="DATETIME_CLAMP",
    )


def for_set_up(host: str, port: int) -> MongoClient[Any]:
    """Return a blocking client of one server that is not a replica set yet."""
    return MongoClient(
        host,
        port,
        directConnection=True,
        serverSelectionTimeoutMS=SET_UP_WAIT_MS,
        connectTimeoutMS=SET_UP_WAIT_MS,
        timeoutMS=SET_UP_ANSWER_MS,
    )
