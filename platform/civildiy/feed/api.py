"""The HTTP side of the feed."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from redis.asyncio import Redis

from civildiy.chassis.identity import CurrentUser
from civildiy.chassis.problems import documented
from civildiy.feed import keys, queries
from civildiy.feed.lag import LagMeter
from civildiy.feed.schemas import ActivityPage, Counters, PageQuery, Stats

PREFIX = "/api/activity-stream"
router = APIRouter(prefix=PREFIX, tags=["activity stream"])


async def _redis(request: Request) -> Redis:
    redis: Redis = request.app.state.redis
    return redis


View = Annotated[Redis, Depends(_redis)]
Page = Annotated[PageQuery, Query()]

_JSON = "application/json"
_PAGE: dict[int | str, dict[str, Any]] = {200: {"model": ActivityPage}}


@router.get("", response_class=Response, responses=_PAGE | documented(422, 503))
async def everybody(query: Page, view: View) -> Response:
    """What everybody did, newest first."""
    return Response(await queries.everybody(view, query), media_type=_JSON)


@router.get("/user", response_class=Response, responses=_PAGE | documented(401, 422, 503))
async def own(user: CurrentUser, query: Page, view: View) -> Response:
    """What the user of the token did, newest first."""
    return Response(await queries.of_user(view, user, query), media_type=_JSON)


@router.get("/stats", responses=documented(503))
async def stats(request: Request, view: View) -> Stats:
    """State of the view and how far it is behind."""
    async with view.pipeline(transaction=False) as pipeline:
        pipeline.llen(keys.GLOBAL)
        pipeline.get(keys.OFFSET)
        pipeline.exists(keys.PROJECTOR)
        pipeline.hgetall(keys.COUNTERS)
        count, offset, alive, counters = await pipeline.execute()
    next_offset = None if offset is None else int(offset)
    meter: LagMeter = request.app.state.lag_meter
    lag = await run_in_threadpool(meter.measure, next_offset)
    return Stats(
        global_activity_count=count,
        consumer_state="running" if alive else "stopped",
        lag=lag,
        lag_events=lag.events if lag else None,
        lag_seconds=lag.seconds if lag else None,
        next_offset=next_offset,
        counters=Counters(**{name.decode(): int(n) for name, n in counters.items()}),
    )
