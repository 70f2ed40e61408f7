"""SQLAlchemy's asyncio engine on the PostgreSQL connections of this system."""

import asyncio

from psycopg import OperationalError
from psycopg.types.json import set_json_loads
from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from civildiy.chassis.clients import postgres
from civildiy.chassis.text import parsed_json

UNAVAILABLE = (exc.OperationalError, exc.InterfaceError, exc.InternalError, exc.TimeoutError)
"""PostgreSQL cannot serve now. Other errors are mistakes in our own statements."""


def engine(settings: postgres.PostgresSettings, service: str) -> AsyncEngine:
    """Return an engine with a pool of connections; it connects when it is first used."""

    async def connect() -> postgres.Connection:
        try:
            # libpq's own limit does not include the search for the host's address. Where a stopped container
            # has no name, a resolver that does not answer would delay the error until the gateway gives up.
            async with asyncio.timeout(postgres.CONNECT_SECONDS + 0.5):
                made = await postgres.Connection.connect(postgres.connection_info(settings, service))
        except TimeoutError:
            raise OperationalError(f"no connection within {postgres.CONNECT_SECONDS} s") from None
        set_json_loads(parsed_json, made)  # SQLAlchemy would do it, if it made the connection itself
        return made

    return create_async_engine(
        "postgresql+psycopg://",
        async_creator=connect,
        pool_size=postgres.POOL_SIZE,
        max_overflow=0,
        pool_timeout=postgres.CONNECT_SECONDS,
        # Before the pool lends a connection, it replaces one that PostgreSQL has closed meanwhile.
        pool_pre_ping=True,
    )
