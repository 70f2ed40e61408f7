"""How much of a connection pool is in use. If it is used up, requests wait while the database idles."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from prometheus_client.core import Metric

from civildiy.chassis.observability.measurements import Measure, gauge, labelled

if TYPE_CHECKING:  # a service uses one of the two, and SQLAlchemy alone takes 10 MB
    from psycopg_pool import AsyncConnectionPool
    from sqlalchemy.ext.asyncio import AsyncEngine

NAME, TEXT = "db_client_connections", "Connections of this process to its database"
WAITING, WAITING_TEXT = "db_client_waiting_requests", "Requests that wait for a connection"


def of_psycopg(pool: "AsyncConnectionPool[Any]") -> Measure:
    """Return how the use of psycopg's pool is measured."""

    async def measure() -> Iterable[Metric]:
        stats = pool.get_stats()
        size, idle = stats.get("pool_size", 0), stats.get("pool_available", 0)
        waiting = stats.get("requests_waiting", 0)
        return (
            labelled(NAME, TEXT, "state", {"used": size - idle, "idle": idle}),
            gauge(WAITING, WAITING_TEXT, waiting),
        )

    return measure


def of_sqlalchemy(engine: "AsyncEngine") -> Measure:
    """Return how the use of SQLAlchemy's pool is measured."""

    async def measure() -> Iterable[Metric]:
        pool: Any = engine.pool
        used, idle = pool.checkedout(), pool.checkedin()
        return (labelled(NAME, TEXT, "state", {"used": used, "idle": idle}),)

    return measure
