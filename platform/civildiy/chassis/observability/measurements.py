"""Gauges that are measured when somebody collects them: the depth of a queue, the age of its oldest entry.

A counter grows where something happens. The depth of a queue exists all the time, so it is measured at each
collection, and a value that cannot be measured is left out. An old value would look like a healthy one.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.responses import Response

log = logging.getLogger(__name__)

Measure = Callable[[], Awaitable[Iterable[Metric]]]
"""Measures something now. It may raise any error of a driver; its metrics are then left out."""

TASKS = Gauge("asyncio_tasks", "Tasks of the event loop; a number that grows for ever is a leak")
MEASURE_SECONDS = 1.0
"""The scraper waits four seconds. A server that is paused must not cost the other metrics of a service."""


def gauge(name: str, text: str, value: float) -> Metric:
    """Return a metric with one value."""
    return GaugeMetricFamily(name, text, value=value)


def labelled(name: str, text: str, label: str, values: dict[str, float], *, counts: bool = False) -> Metric:
    """Return a metric with a value for each value of one label; `counts`: a counter, else a gauge."""
    family: CounterMetricFamily | GaugeMetricFamily
    family = (CounterMetricFamily if counts else GaugeMetricFamily)(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


class _Found(Collector):
    """The metrics of one collection, as a registry needs them."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


async def metrics_answer(measures: Sequence[Measure]) -> Response:
    """Return all metrics of this process, and those that `measures` find now, in Prometheus' text format."""
    TASKS.set(len(asyncio.all_tasks()))
    found = await asyncio.gather(*(_measured(measure) for measure in measures))
    now = CollectorRegistry(auto_describe=False)
    now.register(_Found([metric for metrics in found for metric in metrics]))
    text = await asyncio.to_thread(lambda: generate_latest(REGISTRY) + generate_latest(now))
    return Response(text, media_type=CONTENT_TYPE_LATEST)


async def _measured(measure: Measure) -> Iterable[Metric]:
    try:
        async with asyncio.timeout(MEASURE_SECONDS):
            return await measure()
    except Exception as error:  # any error of a driver means the same here: not measured
        log.debug("not measured: %s: %s", type(error).__name__, error)
        return ()
