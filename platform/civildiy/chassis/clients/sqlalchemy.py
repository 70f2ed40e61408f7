"""SQLAlchemy's asyncio engine on the PostgreSQL connections of this system."""

from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from civildiy.chassis.clients import postgres
from civildiy.chassis.text import parsed_json

UNAVAILABLE = (exc.OperationalError, exc.InterfaceError, exc.InternalError, exc.TimeoutError)
"""PostgreSQL cannot serve now. Other errors are mistakes in our own statements."""


def engine(settings: postgres.PostgresSettings, service: str) -> AsyncEngine:
    """Return an engine with a pool of connections; it connects when it is first used."""

    async def connect() -> postgres.Connection:
        return await postgres.Connection.connect(postgres.connection_info(settings, service))

    return create_async_engine(
        "postgresql+psycopg://",
        async_creator=connect,
        pool_size=postgres.POOL_SIZE,
        max_overflow=0,
        pool_timeout=postgres.CONNECT_SECONDS,
        # Before the pool lends a connection, it replaces one that PostgreSQL has closed meanwhile.
        pool_pre_ping=True,
        json_deserializer=parsed_json,
    )
