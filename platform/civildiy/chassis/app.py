"""Assembly of a service: the parts that all four services have around their own endpoints."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import Response

from civildiy.chassis.discovery.gateway_rules import UNAVAILABLE
from civildiy.chassis.errors import Unavailable
from civildiy.chassis.handlers import install_problem_handlers
from civildiy.chassis.http import HttpRules
from civildiy.chassis.identity.caller import CallerState
from civildiy.chassis.limits import MAX_BODY_BYTES, BodyLimit
from civildiy.chassis.observability import telemetry
from civildiy.chassis.observability.context import RequestContext
from civildiy.chassis.observability.measurements import Measure, metrics_answer
from civildiy.chassis.observability.metrics import RequestMetrics
from civildiy.chassis.problems import documented
from civildiy.chassis.resources import Resources
from civildiy.chassis.settings import ServiceSettings
from civildiy.chassis.text import shortened

Lifespan = (
    Callable[[FastAPI], AbstractAsyncContextManager[None]]
    | Callable[[FastAPI], AbstractAsyncContextManager[Mapping[str, Any]]]
)
"""Creates what a service needs at its start and closes it at the end; a mapping is the requests' state."""

ReadinessCheck = Callable[[], Awaitable[None]]
"""Sends one dependency a small request; raises when there is no answer."""

READINESS_SECONDS = 2.0


class Health(BaseModel):
    """The process runs and answers. This says nothing about its dependencies."""

    status: Literal["ok"] = "ok"
    service: str


class Readiness(BaseModel):
    """Every dependency answered."""

    status: Literal["ready"] = "ready"
    service: str
    dependencies: list[str]


def create_service(
    name: str,
    prefix: str,
    settings: ServiceSettings,
    *,
    router: APIRouter,
    dependencies: Mapping[str, ReadinessCheck] | None,
    drivers: Mapping[type[Exception], str],
    lifespan: Lifespan,
    description: str,
    most_body: int = MAX_BODY_BYTES,
    measures: Sequence[Measure] = (),
) -> FastAPI:
    """Return the FastAPI application of service `name`.

    `prefix` is the service's path at the gateway, such as '/api/posts'. `dependencies` maps the name of a
    unit to the check that /ready runs; with None, `router` has its own /health and /ready. `drivers` maps the
    root error of a driver to the unit that is down when it is raised. `most_body` is the longest request body
    in bytes. `measures` find metrics at the moment when /metrics is read.
    """
    caller = CallerState(gateway_secret=settings.gateway_secret.get_secret_value())
    app = FastAPI(
        title=f"CivilDIY {name}",
        description=description,
        version="1.0.0",
        lifespan=_with_state(lifespan, caller),
        # /api/posts/ is not /api/posts. A redirect would be an answer that the API's document does not list.
        redirect_slashes=False,
        # All errors have one shape, so this replaces the framework's own schema for 422.
        responses=documented(422),
        telemetry=telemetry.for_fastapi(),
    )
    resources = Resources(app.routes)  # /docs and /openapi.json
    install_problem_handlers(app, drivers, resources)
    routers = [_operations(measures), router]
    if dependencies is not None:
        routers.insert(0, _health(name, prefix, dependencies))
    for each in routers:
        _document_media_types(each)
        app.include_router(each)
        resources.add(each.routes)
    # The last one is the outermost, so it runs first.
    app.add_middleware(HttpRules, resources=resources)
    app.add_middleware(BodyLimit, limit=most_body)
    app.add_middleware(RequestMetrics)
    app.add_middleware(RequestContext)
    return app


def _with_state(lifespan: Lifespan, caller: CallerState) -> Lifespan:
    """Return a lifespan whose state has what every service needs beside what this one creates."""

    @asynccontextmanager
    async def both(app: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        async with lifespan(app) as own:
            yield {**caller, **(own or {})}

    return both


def _document_media_types(router: APIRouter) -> None:
    """Document the 415 of civildiy.chassis.http for each operation that reads a body."""
    for route in router.routes:
        if isinstance(route, APIRoute) and route.body_field:
            route.responses = documented(415) | route.responses


def _health(name: str, prefix: str, dependencies: Mapping[str, ReadinessCheck]) -> APIRouter:
    router = APIRouter(tags=["operations"])

    @router.get(f"{prefix}/health", summary="Liveness, through the gateway")
    @router.get("/health", summary="Liveness")
    async def health() -> Health:
        """Calls no dependency, because a restart of this process does not repair a database that is down."""
        return Health(service=name)

    @router.get("/ready", summary="Readiness", responses=documented(503))
    async def ready() -> Readiness:
        """Answers 503, with the name of every dependency that does not answer."""
        failed = await failing(dependencies)
        if failed:
            raise Unavailable(", ".join(failed))
        return Readiness(service=name, dependencies=list(dependencies))

    return router


def _operations(measures: Sequence[Measure]) -> APIRouter:
    router = APIRouter(tags=["operations"])

    @router.get(UNAVAILABLE + "/{service}{path:path}", include_in_schema=False)
    async def answer_instead(service: str, path: str) -> None:
        """Answer for a service that has no healthy instance: the gateway sends its requests here."""
        raise Unavailable(shortened(service))

    @router.get("/metrics", summary="Prometheus metrics", response_class=Response)
    async def metrics() -> Response:
        return await metrics_answer(measures)

    return router


async def failing(dependencies: Mapping[str, ReadinessCheck]) -> Sequence[str]:
    """Return the names of the dependencies whose check fails or takes longer than two seconds."""

    async def fails(check: ReadinessCheck) -> bool:
        asking = asyncio.ensure_future(check())
        asking.add_done_callback(_heard)
        try:
            await asyncio.wait({asking}, timeout=READINESS_SECONDS)
        finally:
            # A driver may need more seconds to give up on a silent server; the answer does not wait for it.
            asking.cancel()
        # Any error of a driver means the same here: not ready.
        return not asking.done() or asking.cancelled() or asking.exception() is not None

    results = await asyncio.gather(*(fails(check) for check in dependencies.values()))
    return [name for name, failed in zip(dependencies, results, strict=True) if failed]


def _heard(asking: "asyncio.Future[None]") -> None:
    """Read the task's error; otherwise asyncio would log that it was never retrieved."""
    if not asking.cancelled():
        asking.exception()
