"""What feed measures of its view when its metrics are collected.

The lag comes from the topic and from the view, not from the projector: one that hangs would report nothing.
"""

from collections.abc import Iterable

from prometheus_client.core import Metric
from redis.asyncio import Redis

from civildiy.chassis.observability.measurements import Measure, gauge, labelled
from civildiy.feed.patience import PatientMeter
from civildiy.feed.progress import ProgressReader


def view(redis: Redis, reader: ProgressReader, meter: PatientMeter) -> Measure:
    """Return how the view is measured; it raises RedisError while Redis does not answer."""

    async def measure() -> Iterable[Metric]:
        progress = await reader.read()
        memory = (await redis.info("memory"))["used_memory"]
        counts = {name: float(count) for name, count in progress.counters.model_dump().items()}
        found = [
            labelled("feed_events", "Events of the topic, by their outcome", "outcome", counts, counts=True),
            gauge("feed_view_entries", "Entries of the global feed", progress.entries),
            gauge("feed_view_bytes", "Memory that Redis uses", memory),
            gauge("feed_projector_running", "1 while the projector reports", float(progress.projector_runs)),
        ]
        lag = await meter.measure(progress.next_offsets)
        if lag is not None:
            found.append(gauge("feed_lag_events", "Events of the topic that are not in the view", lag.events))
            found.append(
                gauge("feed_lag_seconds", "Age of the oldest event that is not in the view", lag.seconds)
            )
        return found

    return measure
