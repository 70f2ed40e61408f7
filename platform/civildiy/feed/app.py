"""Assembly of the feed service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from redis.exceptions import RedisError

from civildiy.chassis.app import create_service
from civildiy.chassis.clients.redis import asynchronous
from civildiy.chassis.discovery.gateway_rules import Route, unavailable, under
from civildiy.chassis.serve import Service
from civildiy.chassis.settings import load_settings
from civildiy.feed.api import PREFIX, router
from civildiy.feed.measurements import view
from civildiy.feed.partitions import TopicMeter
from civildiy.feed.patience import PatientMeter
from civildiy.feed.progress import ProgressReader
from civildiy.feed.settings import FeedSettings
from civildiy.feed.state import FeedState

ROUTES = (
    Route("own", under(f"{PREFIX}/user"), priority=200),
    Route("public", under(PREFIX), priority=100, needs_user=False),
    unavailable("feed", PREFIX, by="auth"),
)


def service() -> Service:
    """The feed service, ready to serve."""
    settings = load_settings(FeedSettings)
    redis = asynchronous(settings.redis_host, settings.redis_port)
    progress = ProgressReader(redis)
    meter = PatientMeter(TopicMeter(settings.kafka_bootstrap))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[FeedState]:
        yield {"redis": redis, "progress": progress, "lag_meter": meter}
        await redis.aclose()
        meter.close()

    async def redis_answers() -> None:
        await redis.ping()

    app = create_service(
        "feed",
        PREFIX,
        settings,
        router=router,
        dependencies={"redis": redis_answers},
        drivers={RedisError: "redis"},
        lifespan=lifespan,
        measures=(view(redis, progress, meter),),
        description="The activity stream: a materialised view of posts, kept in Redis.",
    )
    return Service("feed", app, ROUTES, settings)
