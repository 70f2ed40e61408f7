"""Assembly of auth."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI

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
from civildiy.chassis.discovery.gateway_rules import INTERNAL, Route, unavailable, under
from civildiy.chassis.http import UNROUTED
from civildiy.chassis.observability.pools import of_psycopg
from civildiy.chassis.retry import FailureLog, until_done
from civildiy.chassis.serve import Service
from civildiy.chassis.settings import load_settings

log = logging.getLogger(__name__)

ROUTES = (
    Route("public", under(PREFIX), priority=100, needs_user=False),
    # Hashing is expensive on purpose, so the gateway limits how fast one client can guess passwords. A class
    # behind one address may register at the same moment, but a script cannot keep the processors busy.
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
    # A path that no other rule matches gets an error in our own shape instead of the gateway's text.
    Route("rest", "PathPrefix(`/`)", priority=1, needs_user=False, add_prefix=UNROUTED),
    unavailable("auth", PREFIX, by="posts"),
    unavailable("auth", PREFIX, by="posts", entry_point=INTERNAL),
    # The gateway itself calls this route (forwardAuth), balanced over the healthy instances like any other.
    Route(
        "validate",
        f"Path(`{PREFIX}/validate`)",
        priority=100,
        needs_user=False,
        entry_point=INTERNAL,
    ),
)

MOST_BODY = 16 * 1024
"""In bytes. No request to auth is long, and auth answers for every protected request of the system."""

RETRY_SECONDS = 0.2


async def prepare(pool: Pool, ring: KeyRing) -> None:
    """Create the tables and the first key, and load the keys. Raises psycopg.Error."""
    async with pool.connection() as connection:
        # Two instances that create the same table at the same time would disturb each other.
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (keys.LOCK,))
        await connection.execute(keys.SCHEMA)
        await ring.ensure(connection)
    await ring.load(pool)  # from here on tokens can be checked, even without the table of users
    async with pool.connection() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (keys.LOCK,))
        await users.ensure_table(connection)


async def keep_keys_current(pool: Pool, ring: KeyRing) -> None:
    """Prepare the database, then load renewed keys every REFRESH_SECONDS; try again while it is down."""
    failures = FailureLog(log, postgres.UNAVAILABLE)
    await until_done(partial(prepare, pool, ring), failures, "no tables and keys yet", RETRY_SECONDS)
    while True:
        await asyncio.sleep(keys.REFRESH_SECONDS if ring.public else RETRY_SECONDS)
        load = partial(ring.load, pool)
        await until_done(load, failures, "the keys cannot be reloaded", keys.REFRESH_SECONDS)


def service() -> Service:
    """The auth service, ready to serve."""
    settings = load_settings(AuthSettings)
    pool = postgres.pool(settings, "auth")
    ring = KeyRing(settings.signing_key_passphrase.get_secret_value(), settings.token_seconds)
    issuer = Issuer(settings.token_issuer, settings.token_audience, settings.token_seconds)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[AuthState]:
        await pool.open(wait=False)
        accounts = Accounts(Users(pool), Passwords(), ring, issuer)
        async with in_background(keep_keys_current(pool, ring)):
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
        drivers=dict.fromkeys(postgres.UNAVAILABLE, "postgresql"),
        lifespan=lifespan,
        most_body=MOST_BODY,
        measures=(of_psycopg(pool),),
        description="Accounts and tokens. The gateway asks this service which user a request acts for.",
    )
    app.include_router(gateway_router)
    return Service("auth", app, ROUTES, settings)
