"""Connections to PostgreSQL that do not wait for ever.

A server that is frozen, or cut off from the network, says nothing: no error comes, and `statement_timeout`
is the server's own. psycopg waits, and a cancelled query waits again, for the server to confirm. Whoever
asked gets no answer until the gateway gives up, and nobody learns which part is to blame.
"""

import asyncio
import os
import socket
from contextlib import suppress
from typing import Any, Protocol

from psycopg import AsyncConnection, Error
from psycopg.conninfo import make_conninfo

from civildiy.chassis.settings import Secret

CONNECT_SECONDS = 2
"""Also how long a request waits for a free connection."""
STATEMENT_SECONDS = 4
"""After that the server ends a statement by itself."""
SILENCE_SECONDS = 5.0
"""Longer than a statement may take, and short enough to answer before the gateway's 10 s are over."""
LATE_SECONDS = 0.5


class Connection(AsyncConnection[Any]):
    """A connection that is broken off when the server has been silent for too long.

    Whatever waits for it then gets psycopg.OperationalError, and its pool makes a new one.
    """

    silence_seconds = SILENCE_SECONDS

    async def wait(self, gen: Any, *arguments: Any, **options: Any) -> Any:
        """Let psycopg wait for one answer, so long and no longer."""
        loop = asyncio.get_running_loop()
        ending: list[asyncio.TimerHandle] = []

        def arm(seconds: float) -> None:
            ending[:] = [loop.call_later(seconds, when_over, loop.time() + seconds)]

        def when_over(planned: float) -> None:
            if loop.time() - planned > LATE_SECONDS:
                arm(1)  # this process stood still, not the server: its answer may lie here, unread
            else:
                self._hang_up()

        arm(self.silence_seconds)
        try:
            return await super().wait(gen, *arguments, **options)
        finally:
            ending[0].cancel()

    def _hang_up(self) -> None:
        # Only the line is cut, by way of a second descriptor: the driver, which still waits, reads its
        # end and clears up by itself.
        with suppress(OSError, Error), socket.socket(fileno=os.dup(self.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)


class PostgresSettings(Protocol):
    """Where a service's own database is, and as whom it goes there."""

    postgres_host: str
    postgres_port: int
    postgres_database: str
    postgres_user: str
    postgres_password: Secret


def connection_info(settings: PostgresSettings, service: str) -> str:
    """How to reach the service's own database, in libpq's words."""
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
