"""The HTTP side of the feed."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from civildiy.chassis.identity.caller import current_user
from civildiy.chassis.problems import documented
from civildiy.feed import keys, queries
from civildiy.feed.cursor import page_before, with_next
from civildiy.feed.line import Line
from civildiy.feed.patience import PatientMeter
from civildiy.feed.schemas import ActivityPage, Counters, PageQuery, Stats

PREFIX = "/api/activity-stream"
router = APIRouter(prefix=PREFIX, tags=["activity stream"])


def page_query(request: Request) -> PageQuery:
    """Which page is asked for. Raises RequestValidationError, which is answered 422.

    Called by hand: FastAPI's own reading of a query model takes longer than all the rest of a read.
    """
    try:
        return PageQuery.model_validate(dict(request.query_params))
    except ValidationError as error:
        named = [{**one, "loc": ("query", *one["loc"])} for one in error.errors()]
        raise RequestValidationError(named) from error


def _parameters() -> dict[str, Any]:
    """How the query is documented, from the model that reads it."""
    fields = PageQuery.model_json_schema()["properties"].items()
    return {"parameters": [{"in": "query", "name": name, "schema": schema} for name, schema in fields]}


_JSON = "application/json"
_PAGE: dict[int | str, dict[str, Any]] = {200: {"model": ActivityPage}}
_QUERY = _parameters()


@router.get("", response_class=Response, responses=_PAGE | documented(422, 503), openapi_extra=_QUERY)
async def everybody(request: Request) -> Response:
    """What everybody did, newest first."""
    redis, query = request.app.state.redis, page_query(request)
    if query.before is not None:
        return Response(await page_before(redis, keys.GLOBAL, query), media_type=_JSON)
    page = await queries.everybody(redis, query)
    return Response(with_next(page, query.skip + query.limit), media_type=_JSON)


@router.get(
    "/user", response_class=Response, responses=_PAGE | documented(401, 422, 503), openapi_extra=_QUERY
)
async def own(request: Request) -> Response:
    """What the user of the token did, newest first."""
    user, query, redis = await current_user(request), page_query(request), request.app.state.redis
    if query.before is not None:
        return Response(await page_before(redis, keys.of_user(user), query), media_type=_JSON)
    page = await queries.of_user(redis, user, query)
    return Response(with_next(page, query.skip + query.limit), media_type=_JSON)


@router.get("/stats", responses=documented(503))
async def stats(request: Request) -> Stats:
    """State of the view and how far it is behind."""
    redis: Line = request.app.state.redis
    count = await redis.ask("LLEN", keys.GLOBAL)
    offset, alive = await redis.ask("MGET", keys.OFFSET, keys.PROJECTOR)
    counters = await redis.ask("HGETALL", keys.COUNTERS)
    next_offset = None if offset is None else int(offset)
    meter: PatientMeter = request.app.state.lag_meter
    lag = await meter.measure(next_offset)
    named = zip(counters[::2], counters[1::2], strict=True)
    return Stats(
        global_activity_count=count,
        consumer_state="running" if alive else "stopped",
        lag=lag,
        lag_events=lag.events if lag else None,
        lag_seconds=lag.seconds if lag else None,
        next_offset=next_offset,
        counters=Counters(**{name.decode(): int(number) for name, number in named}),
    )
