"""Assembly of auth."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from fastapi import FastAPI
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from civildiy.auth import keys, users
from civildiy.auth.api import PREFIX, gateway_router, router
from civildiy.auth.keys import KeyRing
from civildiy.auth.passwords import Passwords
from civildiy.auth.settings import AuthSettings
from civildiy.auth.state import Accounts, AuthState
from civildiy.auth.tokens import Issuer
from civildiy.auth.users import Pool, Users
from civildiy.auth.validation import Validator
from civildiy.chassis.app import create_service
from civildiy.chassis.background import in_background
from civildiy.chassis.clients import postgres
from civildiy.chassis.discovery.gateway_rules import INTERNAL, Route, away, under
from civildiy.chassis.http import UNROUTED
from civildiy.chassis.serve import Service
from civildiy.chassis.settings import load_settings

log = logging.getLogger(__name__)

ROUTES = (
    Route("public", under(PREFIX), priority=100, needs_user=False),
    # Hashing is expensive on purpose, so guessing passwords is slowed down for each client. A class behind
    # one address may register at the same moment; nobody's script may keep the processors busy.
    Route(
        "login",
        f"Path(`{PREFIX}/login`) && Method(`POST`)",
        priority=200,
        needs_user=False,
        limit=(20, 60),
    ),
    Route(
        "register",
        f"Path(`{PREFIX}/register`) && Method(`POST`)",
        priority=200,
        needs_user=False,
        limit=(20, 100),
    ),
    # What nobody else wants gets an error of the one shape instead of the gateway's own text.
    Route("rest", "PathPrefix(`/`)", priority=1, needs_user=False, add_prefix=UNROUTED),
    away("auth", PREFIX, by="posts"),
    away("auth", PREFIX, by="posts", entry_point=INTERNAL),
    # Where the gateway itself asks; balanced over the healthy instances like any other route.
    Route(
        "validate",
        f"Path(`{PREFIX}/validate`)",
        priority=100,
        needs_user=False,
        entry_point=INTERNAL,
    ),
)

MOST_BODY = 16 * 1024
"""Bytes; nothing that auth takes is long, and it answers for every protected request of the system."""

AWAY = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError, PoolTimeout)
"""PostgreSQL cannot serve now. Other errors of the driver are mistakes in our own statements."""


async def prepare(pool: Pool, ring: KeyRing) -> None:
    """Make tables and the first key, and load the keys; tries until PostgreSQL answers.

    After that it looks for renewed keys now and then.
    """
    said = prepared = False
    while True:
        try:
            if not prepared:
                async with pool.connection() as connection:
                    # Two instances that create the same table at once would get in each other's way.
                    await connection.execute("SELECT pg_advisory_xact_lock(%s)", (keys.LOCK,))
                    await connection.execute(keys.SCHEMA)
                    await ring.ensure(connection)
                await ring.load(pool)  # from here on tokens can be checked
                async with pool.connection() as connection:
                    await connection.execute("SELECT pg_advisory_xact_lock(%s)", (keys.LOCK,))
                    await users.ensure_table(connection)
                prepared = True
            await ring.load(pool)
            said = False
        except Exception as error:  # whatever it is, tokens are still checked and the log says what
            if not said:
                mistake = not isinstance(error, AWAY)
                log.warning("tables and keys: trying until it works: %s", error, exc_info=mistake)
            said = True
        await asyncio.sleep(keys.REFRESH_SECONDS if prepared and ring.public else 0.2)


def service() -> Service:
    """The auth service, ready to serve."""
    settings = load_settings(AuthSettings)
    pool: Pool = AsyncConnectionPool(
        postgres.connection_info(settings, "auth"),
        connection_class=postgres.Connection,
        min_size=1,
        max_size=8,
        timeout=postgres.CONNECT_SECONDS,
        reconnect_timeout=1,
        # A connection that PostgreSQL dropped meanwhile is replaced before anybody gets it.
        check=AsyncConnectionPool.check_connection,
        open=False,
    )
    ring = KeyRing(settings.signing_key_passphrase.get_secret_value(), settings.token_seconds)
    issuer = Issuer(settings.token_issuer, settings.token_audience, settings.token_seconds)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[AuthState]:
        await pool.open(wait=False)
        accounts = Accounts(Users(pool), Passwords(), ring, issuer)
        async with in_background(prepare(pool, ring)):
            yield {"accounts": accounts, "validator": Validator(ring, issuer, pool)}
        await pool.close()

    async def postgresql_answers() -> None:
        async with pool.connection() as connection:
            await connection.execute("SELECT 1 FROM signing_keys LIMIT 1")

    app = create_service(
        "auth",
        PREFIX,
        settings,
        router=router,
        dependencies={"postgresql": postgresql_answers},
        drivers=dict.fromkeys(AWAY, "postgresql"),
        lifespan=lifespan,
        most_body=MOST_BODY,
        description="Accounts and tokens. The gateway asks here who a request acts for.",
    )
    app.include_router(gateway_router)
    return Service("auth", app, ROUTES, settings)
