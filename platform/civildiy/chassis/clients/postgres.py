"""psycopg's connections and pool with the settings of this system; no connection waits for ever.

A server that is frozen or cut off from the network sends nothing: no error arrives, and the server itself
enforces `statement_timeout`. psycopg then waits without end. A cancelled query waits too, because psycopg
wants the server to confirm it. The client would get no answer until the gateway gives up, and no log would
name PostgreSQL as the cause. docs/decisions/0025-silence-of-postgresql.md has the measurements.
"""

import asyncio
import os
import socket
from contextlib import suppress
from typing import Any, Protocol

from psycopg import AsyncConnection, Error, InterfaceError, InternalError, OperationalError
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from civildiy.chassis.observability import telemetry
from civildiy.chassis.settings import Secret

CONNECT_SECONDS = 2
"""Also how long a request waits for a free connection."""
STATEMENT_SECONDS = 4
"""After that the server ends a statement by itself."""
SILENCE_SECONDS = 5.0
"""Longer than a statement may take, and short enough to answer before the gateway's 10 s are over."""
LATE_SECONDS = 0.5
"""A timer that fires this much too late shows that this process was paused, not the server."""
POOL_SIZE = 8

UNAVAILABLE = (OperationalError, InterfaceError, InternalError, PoolTimeout)
"""PostgreSQL cannot serve now. Other errors of the driver are mistakes in our own statements."""


class Connection(AsyncConnection[Any]):
    """A connection that is closed when the server has been silent for too long.

    The query that waits for it then raises psycopg.OperationalError, and the pool opens a new connection.
    """

    silence_seconds = SILENCE_SECONDS

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if telemetry.is_on():
            from civildiy.chassis.observability.stores.postgres import TracedCursor

            self.cursor_factory = TracedCursor

    async def wait(self, gen: Any, *arguments: Any, **options: Any) -> Any:
        """Let psycopg wait for one answer, for `silence_seconds` at most."""
        loop = asyncio.get_running_loop()
        ending: list[asyncio.TimerHandle] = []

        def arm(seconds: float) -> None:
            ending[:] = [loop.call_later(seconds, when_over, loop.time() + seconds)]

        def when_over(planned: float) -> None:
            if loop.time() - planned > LATE_SECONDS:
                arm(1)  # this process was paused, not the server: the answer may already be in the socket
            else:
                self._hang_up()

        arm(self.silence_seconds)
        try:
            return await super().wait(gen, *arguments, **options)
        finally:
            ending[0].cancel()

    def _hang_up(self) -> None:
        # This shuts down only the TCP connection, through a second file descriptor. The driver still waits on
        # its own descriptor; it reads the end of the connection there and cleans up by itself.
        with suppress(OSError, Error), socket.socket(fileno=os.dup(self.fileno())) as connection:
            connection.shutdown(socket.SHUT_RDWR)


class PostgresSettings(Protocol):
    """The address of a service's own database, and the role with which it logs in."""

    postgres_host: str
    postgres_port: int
    postgres_database: str
    postgres_user: str
    postgres_password: Secret


def connection_info(settings: PostgresSettings, service: str) -> str:
    """Return the connection string of the service's own database, as libpq reads it."""
    return make_conninfo(
        host=settings.postgres_host,
        port=settings.postgres_port,
        dbname=settings.postgres_database,
        user=settings.postgres_user,
        password=settings.postgres_password.get_secret_value(),
        connect_timeout=CONNECT_SECONDS,
        application_name=service,
        options=f"-c statement_timeout={STATEMENT_SECONDS * 1000}",
    )


Pool = AsyncConnectionPool[AsyncConnection[Any]]


def pool(settings: PostgresSettings, service: str) -> Pool:
    """Return a pool of connections to the service's own database. The service must open and close it."""
    return AsyncConnectionPool(
        connection_info(settings, service),
        connection_class=Connection,
        min_size=1,
        max_size=POOL_SIZE,
        timeout=CONNECT_SECONDS,
        reconnect_timeout=1,
        # Before the pool lends a connection, it replaces one that PostgreSQL has closed meanwhile.
        check=AsyncConnectionPool.check_connection,
        open=False,
    )
