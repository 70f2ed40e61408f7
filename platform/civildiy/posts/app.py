"""Assembly of the posts service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from pymongo import AsyncMongoClient
from pymongo.errors import ConnectionFailure, ExecutionTimeout, WriteConcernError

from civildiy.chassis.app import create_service
from civildiy.chassis.background import in_background
from civildiy.chassis.discovery.gateway_rules import READ_ONLY, Route, away, under
from civildiy.chassis.serve import Service
from civildiy.chassis.settings import load_settings
from civildiy.posts.api import PREFIX, router
from civildiy.posts.commands import Commands
from civildiy.posts.settings import PostsSettings
from civildiy.posts.state import PostsState
from civildiy.posts.store import PostStore, ensure_collection_until_done

ROUTES = (
    Route("read", f"{under(PREFIX)} && {READ_ONLY}", priority=200, needs_user=False),
    # Whatever is not a read needs a user: a new method is protected before anybody thinks of it.
    Route("write", under(PREFIX), priority=100),
    away("posts", PREFIX, by="auth"),
)

TIMEOUT_MS = 2000

AWAY = (ConnectionFailure, ExecutionTimeout, WriteConcernError)
"""MongoDB cannot serve now, or not promise that a write lasts. Other errors are our own mistakes."""


def service() -> Service:
    """The posts service, ready to serve."""
    settings = load_settings(PostsSettings)
    client: AsyncMongoClient[Any] = AsyncMongoClient(
        settings.mongodb_url,
        tz_aware=True,
        serverSelectionTimeoutMS=TIMEOUT_MS,
        connectTimeoutMS=TIMEOUT_MS,
        timeoutMS=2 * TIMEOUT_MS,
    )
    database = client[settings.mongodb_database]

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[PostsState]:
        store = PostStore(database)
        async with in_background(ensure_collection_until_done(database)):
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
        drivers=dict.fromkeys(AWAY, "mongodb"),
        lifespan=lifespan,
        description="Posts, and the events that each change of a post causes.",
    )
    return Service("posts", app, ROUTES, settings)
