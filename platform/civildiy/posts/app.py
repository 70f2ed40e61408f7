"""Assembly of the posts service."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI
from pymongo import timeout
from pymongo.asynchronous.database import AsyncDatabase

from civildiy.chassis.app import create_service
from civildiy.chassis.background import in_background
from civildiy.chassis.clients import mongodb
from civildiy.chassis.discovery.gateway_rules import READ_ONLY, Route, unavailable, under
from civildiy.chassis.retry import FailureLog, until_done
from civildiy.chassis.serve import Service
from civildiy.chassis.settings import load_settings
from civildiy.posts.api import PREFIX, router
from civildiy.posts.commands import Commands
from civildiy.posts.measurements import outbox
from civildiy.posts.settings import PostsSettings
from civildiy.posts.state import PostsState
from civildiy.posts.store import PostStore, ensure_collection

log = logging.getLogger(__name__)

ROUTES = (
    Route("read", f"{under(PREFIX)} && {READ_ONLY}", priority=200, needs_user=False),
    # Every request that is not a read needs a user, so a method that is added later is protected, too.
    Route("write", under(PREFIX), priority=100),
    unavailable("posts", PREFIX, by="auth"),
)

BUILD_SECONDS = 120
"""An index over many posts takes longer than a request may."""
RETRY_SECONDS = 0.5


async def prepare(database: AsyncDatabase[Any]) -> None:
    """Create the collection and its indexes, with more time than a request has. Raises PyMongoError."""
    with timeout(BUILD_SECONDS):
        await ensure_collection(database)


def service() -> Service:
    """The posts service, ready to serve."""
    settings = load_settings(PostsSettings)
    client = mongodb.asynchronous(settings.mongodb_url)
    database = client[settings.mongodb_database]

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[PostsState]:
        store = PostStore(database)
        failures = FailureLog(log, mongodb.UNAVAILABLE)
        # The service may start before its database.
        preparing = until_done(partial(prepare, database), failures, "no collection yet", RETRY_SECONDS)
        async with in_background(preparing):
            yield {"store": store, "commands": Commands(store)}
        await client.close()

    async def mongodb_answers() -> None:
        await client.admin.command("ping")

    app = create_service(
        "posts",
        PREFIX,
        settings,
        router=router,
        dependencies={"mongodb": mongodb_answers},
        drivers=dict.fromkeys(mongodb.UNAVAILABLE, "mongodb"),
        lifespan=lifespan,
        measures=(outbox(database),),
        description="Posts, and the events that each change of a post causes.",
    )
    return Service("posts", app, ROUTES, settings)
