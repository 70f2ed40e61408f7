"""The HTTP side of the feed."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from redis.asyncio import Redis

from civildiy.chassis.identity.caller import CurrentUser
from civildiy.chassis.pages import PageTurns
from civildiy.chassis.problems import documented
from civildiy.feed import keys, queries
from civildiy.feed.cursor import newest, page_before
from civildiy.feed.schemas import ActivityPage, PageQuery, Stats, TopicStats, of_partitions
from civildiy.feed.state import FeedLag, FeedProgress, FeedRedis

PREFIX = "/api/activity-stream"
router = APIRouter(prefix=PREFIX, tags=["activity stream"])

# The stored entries are JSON already, so a page is sent as bytes: the model only documents it.
_JSON = "application/json"
_TURNS = PageTurns("redis")
_PAGE: dict[int | str, dict[str, Any]] = {200: {"model": ActivityPage}}


@router.get("", response_class=Response, responses=_PAGE | documented(422, 503))
async def everybody(redis: FeedRedis, query: Annotated[PageQuery, Query()]) -> Response:
    """List the activity of all users, newest first."""
    return await _answer(redis, keys.GLOBAL, query, partial(queries.everybody, redis))


@router.get("/user", response_class=Response, responses=_PAGE | documented(401, 422, 503))
async def own(user: CurrentUser, redis: FeedRedis, query: Annotated[PageQuery, Query()]) -> Response:
    """List the activity of the user of the token, newest first."""
    return await _answer(redis, keys.of_user(user), query, partial(queries.of_user, redis, user))


async def _answer(
    redis: Redis, key: str, query: PageQuery, read: Callable[[PageQuery], Awaitable[bytes]]
) -> Response:
    """Answer with the page after `query.before`, or with the one that `read` reads."""
    async with _TURNS.turn(query.limit):
        if query.before is not None:
            page = await page_before(redis, key, query)
        else:
            page = await newest(redis, key, query, read)
    return Response(page, media_type=_JSON)


@router.get("/stats", responses=documented(503))
async def stats(progress: FeedProgress, meter: FeedLag) -> Stats | TopicStats:
    """Report the state of the view and its lag."""
    view = await progress.read()
    lag = await meter.measure(view.next_offsets)
    stats = Stats(
        global_activity_count=view.entries,
        consumer_state="running" if view.projector_runs else "stopped",
        lag=lag,
        lag_events=lag.events if lag else None,
        lag_seconds=lag.seconds if lag else None,
        next_offset=view.next_offset,
        counters=view.counters,
    )
    return of_partitions(stats, view.next_offsets, lag)
