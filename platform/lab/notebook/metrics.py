"""Read how long a service took for a request, from its own metrics."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from lab.notebook.stack import address
from lab.probes import local_http

Route = tuple[str, str, str]
"""A service, a method, and a path as the service's own routes name it."""


def spent(route: Route) -> tuple[int, float]:
    """Return how many requests a service has answered on a route since its start, and their seconds."""
    service, method, path = route
    text = local_http.get(f"{address(service)}/metrics", timeout=5).text

    def value(kind: str) -> float:
        line = rf'^http_request_seconds_{kind}{{method="{method}",route="{re.escape(path)}"}} (\S+)$'
        found = re.search(line, text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    return int(value("count")), value("sum")


@contextmanager
def own_time(**routes: Route) -> Iterator[Mapping[str, float | None]]:
    """Measure the one request on each route during the block; its milliseconds are set at the end.

    None when there was not exactly one, because the sum does not tell the time of each.
    """
    before = {name: spent(route) for name, route in routes.items()}
    took: dict[str, float | None] = dict.fromkeys(routes)
    yield took
    for name, route in routes.items():
        count, seconds = spent(route)
        if count - before[name][0] == 1:
            took[name] = (seconds - before[name][1]) * 1000
