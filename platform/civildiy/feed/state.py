"""The objects that feed creates at its start, and the dependencies with which an endpoint gets them."""

from typing import Annotated, TypedDict

from fastapi import Depends, Request
from redis.asyncio import Redis

from civildiy.feed.patience import PatientMeter
from civildiy.feed.progress import ProgressReader


class FeedState(TypedDict):
    """Lifespan state: created once, shared by all requests of this process."""

    redis: Redis
    progress: ProgressReader
    lag_meter: PatientMeter


# Each getter is async, because FastAPI calls an ordinary function in a worker thread.


async def _redis(request: Request) -> Redis:
    redis: Redis = request.state.redis
    return redis


async def _progress(request: Request) -> ProgressReader:
    reader: ProgressReader = request.state.progress
    return reader


async def _lag_meter(request: Request) -> PatientMeter:
    meter: PatientMeter = request.state.lag_meter
    return meter


FeedRedis = Annotated[Redis, Depends(_redis)]
FeedProgress = Annotated[ProgressReader, Depends(_progress)]
FeedLag = Annotated[PatientMeter, Depends(_lag_meter)]
