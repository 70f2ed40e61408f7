"""Assembly of a service: what all four have in common around their own endpoints."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig
from pydantic import BaseModel
from starlette.responses import Response

from civildiy.chassis.discovery.gateway_rules import AWAY
from civildiy.chassis.errors import Unavailable
from civildiy.chassis.handlers import install_problem_handlers
from civildiy.chassis.http import HttpRules
from civildiy.chassis.limits import MAX_BODY_BYTES, BodyLimit
from civildiy.chassis.observability.context import RequestContext
from civildiy.chassis.observability.metrics import RequestMetrics, metrics_answer
from civildiy.chassis.problems import documented
from civildiy.chassis.resources import Resources
from civildiy.chassis.settings import ServiceSettings
from civildiy.chassis.text import shortened

Lifespan = (
    Callable[[FastAPI], AbstractAsyncContextManager[None]]
    | Callable[[FastAPI], AbstractAsyncContextManager[Mapping[str, Any]]]
)
"""What a service creates at its start and closes at its end; a mapping is the state of its requests."""

ReadinessCheck = Callable[[], Awaitable[None]]
"""Asks one dependency something small; raises when it does not answer."""

READINESS_SECONDS = 2.0

NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
"""Nobody collects OpenTelemetry here, and FastAPI would look for a collector with each request. Metrics
are Prometheus', and the trace goes on in the events (`civildiy.chassis.observability.tracing`)."""


class Health(BaseModel):
    """The process runs and answers. It says nothing about what it depends on."""

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
) -> FastAPI:
    """The FastAPI application of service `name`.

    `prefix` is the service's path at the gateway, such as '/api/posts'; `dependencies` maps a
    unit's name to the check that /ready runs (None: `router` has /health and /ready of its own),
    `drivers` a driver's root error to the
    unit that is away when it is raised. `most_body` is the longest request body in bytes.
    """
    app = FastAPI(
        title=f"CivilDIY {name}",
        description=description,
        version="1.0.0",
        lifespan=lifespan,
        # /api/posts/ is not /api/posts: a redirect would be an answer that the document does not have.
        redirect_slashes=False,
        # One shape of errors, so the framework's own schema for 422 is left out.
        responses=documented(422),
        telemetry=NO_TELEMETRY,
    )
    app.state.gateway_secret = settings.gateway_secret.get_secret_value()
    install_problem_handlers(app, drivers)
    routers = [_operations(), router]
    if dependencies is not None:
        routers.insert(0, _health(name, prefix, dependencies))
    app.state.resources = Resources(app.routes)  # /docs and /openapi.json
    for one in routers:
        _document_media_types(one)
        app.include_router(one)
        app.state.resources.add(one.routes)
    # The last one is the outermost.
    app.add_middleware(HttpRules, resources=app.state.resources)
    app.add_middleware(BodyLimit, limit=most_body)
    app.add_middleware(RequestMetrics)
    app.add_middleware(RequestContext)
    return app


def _document_media_types(router: APIRouter) -> None:
    """Add 415, which civildiy.chassis.http answers, to each operation that reads a body."""
    for route in router.routes:
        if isinstance(route, APIRoute) and route.body_field:
            route.responses = documented(415) | route.responses


def _health(name: str, prefix: str, dependencies: Mapping[str, ReadinessCheck]) -> APIRouter:
    router = APIRouter(tags=["operations"])

    @router.get(f"{prefix}/health", summary="Liveness, through the gateway")
    @router.get("/health", summary="Liveness")
    async def health() -> Health:
        """Never asks a dependency: a restart does not cure a database that is away."""
        return Health(service=name)

    @router.get("/ready", summary="Readiness", responses=documented(503))
    async def ready() -> Readiness:
        """503 names every dependency that does not answer."""
        failed = await failing(dependencies)
        if failed:
            raise Unavailable(", ".join(failed))
        return Readiness(service=name, dependencies=list(dependencies))

    return router


def _operations() -> APIRouter:
    router = APIRouter(tags=["operations"])

    @router.get(AWAY + "/{service}{path:path}", include_in_schema=False)
    async def away(service: str, path: str) -> None:
        """Answer for a service without a healthy instance: the gateway sends its requests here."""
        raise Unavailable(shortened(service))

    @router.get("/metrics", summary="Prometheus metrics", response_class=Response)
    def metrics() -> Response:
        return metrics_answer()

    return router


async def failing(dependencies: Mapping[str, ReadinessCheck]) -> Sequence[str]:
    """Names of the dependencies whose check fails or takes longer than two seconds."""

    async def fails(check: ReadinessCheck) -> bool:
        asking = asyncio.ensure_future(check())
        asking.add_done_callback(_heard)
        try:
            await asyncio.wait({asking}, timeout=READINESS_SECONDS)
        finally:
            # A driver may need seconds more to give up on a server that is silent: nobody waits for that.
            asking.cancel()
        # Whatever a driver raises means the same here: not ready.
        return not asking.done() or asking.cancelled() or asking.exception() is not None

    results = await asyncio.gather(*(fails(check) for check in dependencies.values()))
    return [name for name, failed in zip(dependencies, results, strict=True) if failed]


def _heard(asking: "asyncio.Future[None]") -> None:
    """Take note of how it ended, so that asyncio does not call an error that nobody read a mistake."""
    if not asking.cancelled():
        asking.exception()
