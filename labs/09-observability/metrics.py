"""Request counts and durations for Prometheus, labelled by route template and never by the path itself."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from time import perf_counter
from typing import Generic, TypeVar

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from civildiy.chassis.resources import METHODS

M = TypeVar("M", Counter, Histogram)

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Upper bounds in seconds. The objective for reads is 50 ms, so one bucket ends at 0.05: a histogram cannot
tell what happened between two bounds."""


def request_metrics(registry: CollectorRegistry) -> tuple[Counter, Histogram]:
    """Create the two metrics of a service in `registry`, and return them.

    - the counter `http_requests_total` of answered requests, with the labels `method`, `route`, `status`;
    - the histogram `http_request_seconds` of the seconds from request to answer, with the labels `method`,
      `route` and the upper bounds BUCKETS.

    `Counter(name, text, labels, registry=registry)` creates a counter; a Histogram also takes `buckets`.
    Example: `requests, seconds = request_metrics(CollectorRegistry())`.
    """
    raise NotImplementedError("Lab 09, step 1: write request_metrics")


@cache
def _metrics_of(registry: CollectorRegistry) -> tuple[Counter, Histogram]:
    """Return the metrics in `registry`, which several applications in one process share, as in a test."""
    return request_metrics(registry)


@dataclass(frozen=True)
class _Remembering(Generic[M]):
    """A metric whose `labels(…)` remembers each time series: finding one costs more than counting in it."""

    labels: Callable[..., M]


class RequestMetrics:
    """ASGI middleware that counts and times requests."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry = REGISTRY) -> None:
        self.app = app
        requests, seconds = _metrics_of(registry)
        self._requests = _Remembering(cache(requests.labels))
        self._seconds = _Remembering(cache(seconds.labels))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count and time one request, also one that fails or whose client has gone.

        - `await self.app(scope, receive, send)` answers the request; every error of it passes on. A `scope`
          of another type than "http" (such as the start of the service) goes there and is not counted.
        - `status` is the number in the first message that the application sends; its type is
          "http.response.start". A message is a dict. Pass a `send` of your own, which notes it and passes
          each message on at once. A request that ends without such a message counts as 500.
        - `route` is the template of the path: `scope["route"].path`, such as "/api/posts/{post_id}". The
          router sets it during the call. If there is none, or it has no `path`, the route is "none".
        - `method` is `scope["method"]` if it is in METHODS, else "other".
        - `self._requests.labels(method, route, status).inc()` counts, and
          `self._seconds.labels(method, route).observe(seconds)` adds a duration in seconds, as a difference
          of two `perf_counter()`.
        """
        raise NotImplementedError("Lab 09, step 1: write RequestMetrics.__call__")
