"""Request counts and durations for Prometheus, labelled by route template and never by the path itself."""

from functools import cache
from time import perf_counter

from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from civildiy.chassis.resources import METHODS

REQUESTS = Counter("http_requests_total", "Answered requests", ["method", "route", "status"])
SECONDS = Histogram("http_request_seconds", "Seconds from request to answer", ["method", "route"])

# Finding the time series of a set of labels costs more than counting in it.
_requests = cache(REQUESTS.labels)
_seconds = cache(SECONDS.labels)


class RequestMetrics:
    """ASGI middleware that counts and times requests."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count and time one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = perf_counter()
        status = 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            # A client may send any method, and each new label would be a new time series for ever.
            method = scope["method"] if scope["method"] in METHODS else "other"
            _requests(method, route, status).inc()
            _seconds(method, route).observe(perf_counter() - started)
