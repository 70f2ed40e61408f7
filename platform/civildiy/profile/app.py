"""Assembly of profile."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from sqlalchemy import exc, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from civildiy.chassis.app import create_service
from civildiy.chassis.background import in_background
from civildiy.chassis.clients import postgres
from civildiy.chassis.discovery.gateway_rules import READ_ONLY, Route, away, under
from civildiy.chassis.serve import Service
from civildiy.chassis.settings import load_settings
from civildiy.profile.api import PREFIX, router
from civildiy.profile.settings import ProfileSettings
from civildiy.profile.state import ProfileState
from civildiy.profile.store import Base, ProfileStore

log = logging.getLogger(__name__)

ROUTES = (
    Route("health", f"Path(`{PREFIX}/health`) && {READ_ONLY}", priority=200, needs_user=False),
    Route("own", under(PREFIX), priority=100),
    away("profile", PREFIX, by="auth"),
)

AWAY = (exc.OperationalError, exc.InterfaceError, exc.InternalError, exc.TimeoutError)
"""PostgreSQL cannot serve now. Other errors are mistakes in our own statements."""

TABLE_LOCK = 0x70726F66
"""Number of the advisory lock under which the table is made."""


async def ensure_tables(engine: AsyncEngine) -> None:
    """Make the table; tries until PostgreSQL answers, for a service may start before it."""
    said = False
    while True:
        try:
            async with engine.begin() as connection:
                lock = text("SELECT pg_advisory_xact_lock(:lock)")
                await connection.execute(lock, {"lock": TABLE_LOCK})
                await connection.run_sync(Base.metadata.create_all)
        except Exception as error:  # whatever it is, the service goes on and the log says what
            if not said:
                mistake = not isinstance(error, AWAY)
                log.warning("no table yet, trying until it works: %s", error, exc_info=mistake)
            said = True
            await asyncio.sleep(0.2)
        else:
            return


def service() -> Service:
    """The profile service, ready to serve."""
    settings = load_settings(ProfileSettings)

    async def connect() -> postgres.Connection:
        return await postgres.Connection.connect(postgres.connection_info(settings, "profile"))

    engine = create_async_engine(
        "postgresql+psycopg://",
        async_creator=connect,
        pool_size=8,
        max_overflow=0,
        pool_timeout=postgres.CONNECT_SECONDS,
        # A connection that PostgreSQL dropped meanwhile is replaced before anybody gets it.
        pool_pre_ping=True,
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[ProfileState]:
        async with in_background(ensure_tables(engine)):
            yield {"store": ProfileStore(engine), "postgresql_answers": postgresql_answers}
        await engine.dispose()

    async def postgresql_answers() -> None:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1 FROM user_profiles LIMIT 1"))

    app = create_service(
        "profile",
        PREFIX,
        settings,
        router=router,
        dependencies=None,  # the router answers /health and /ready
        drivers=dict.fromkeys(AWAY, "postgresql"),
        lifespan=lifespan,
        description="Profiles of users: each sees and changes their own.",
    )
    return Service("profile", app, ROUTES, settings)
