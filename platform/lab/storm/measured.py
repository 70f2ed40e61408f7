"""Metrics of the time of a storm, which its picture shows below the faults."""

from dataclasses import dataclass

from lab.slo.metrics import Metrics
from lab.storm.history import History

STEP_SECONDS = 5
"""The collector measures this often."""
SHOWN = {
    "event waits, s": "slo:post_to_feed:seconds",
    "gateway's 5xx/s": 'sum(rate(traefik_entrypoint_requests_total{entrypoint="web",code=~"5.."}[15s]))',
    "feed p99, s": "histogram_quantile(0.99, sum by (le) (rate(traefik_router_request_duration_seconds_bucket"
    '{router=~"feed-(public|own)@consul"}[15s])))',
}
"""One metric for each objective: what a user sees while a fault is active."""


@dataclass(frozen=True)
class Series:
    """A metric over time. Each point has a Unix time and a value, which is None if nothing was measured."""

    name: str
    points: list[tuple[float, float | None]]


def measured(metrics: Metrics, history: History) -> list[Series]:
    """Return the metrics of SHOWN from the begin of the storm to its end. Raises LabError."""
    return [
        Series(name, metrics.between(query, history.began, history.ended, STEP_SECONDS))
        for name, query in SHOWN.items()
    ]
