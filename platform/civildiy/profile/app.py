"""Assembly of profile."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from civildiy.chassis.app import create_service
from civildiy.chassis.background import in_background
from civildiy.chassis.clients import sqlalchemy
from civildiy.chassis.discovery.gateway_rules import READ_ONLY, Route, unavailable, under
from civildiy.chassis.observability.pools import of_sqlalchemy
from civildiy.chassis.retry import FailureLog, until_done
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
    unavailable("profile", PREFIX, by="auth"),
)

TABLE_LOCK = 0x70726F66
"""Number of the advisory lock under which the table is created."""
RETRY_SECONDS = 0.2


async def ensure_tables(engine: AsyncEngine) -> None:
    """Create the table if it is missing. Raises SQLAlchemyError."""
    async with engine.begin() as connection:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": TABLE_LOCK})
        await connection.run_sync(Base.metadata.create_all)


def service() -> Service:
    """The profile service, ready to serve."""
    settings = load_settings(ProfileSettings)

    engine = sqlalchemy.engine(settings, "profile")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[ProfileState]:
        failures = FailureLog(log, sqlalchemy.UNAVAILABLE)
        # The service may start before its database.
        preparing = until_done(partial(ensure_tables, engine), failures, "no table yet", RETRY_SECONDS)
        async with in_background(preparing):
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
        drivers=dict.fromkeys(sqlalchemy.UNAVAILABLE, "postgresql"),
        lifespan=lifespan,
        measures=(of_sqlalchemy(engine),),
        description="Profiles of users: each sees and changes their own.",
    )
    return Service("profile", app, ROUTES, settings)
