"""Assembly of the feed service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from redis.exceptions import RedisError

from civildiy.chassis.app import create_service
from civildiy.chassis.discovery.gateway_rules import Route, away, under
from civildiy.chassis.serve import Service
from civildiy.chassis.settings import load_settings
from civildiy.feed.api import PREFIX, router
from civildiy.feed.lag import LagMeter
from civildiy.feed.line import Line
from civildiy.feed.patience import PatientMeter
from civildiy.feed.settings import FeedSettings

ROUTES = (
    Route("own", under(f"{PREFIX}/user"), priority=200),
    Route("public", under(PREFIX), priority=100, needs_user=False),
    away("feed", PREFIX, by="auth"),
)

TIMEOUT_SECONDS = 2.0


def service() -> Service:
    """The feed service, ready to serve."""
    settings = load_settings(FeedSettings)
    redis = Line(settings.redis_host, settings.redis_port, TIMEOUT_SECONDS)
    meter = PatientMeter(LagMeter(settings.kafka_bootstrap))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.redis = redis
        app.state.lag_meter = meter
        yield
        redis.close()
        meter.close()

    async def redis_answers() -> None:
        await redis.ask("PING")

    app = create_service(
        "feed",
        PREFIX,
        settings,
        router=router,
        dependencies={"redis": redis_answers},
        drivers={RedisError: "redis"},
        lifespan=lifespan,
        description="The activity stream: a materialised view of posts, kept in Redis.",
    )
    return Service("feed", app, ROUTES, settings)
