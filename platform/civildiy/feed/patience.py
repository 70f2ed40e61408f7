"""The lag for /stats, without making its reader wait for a broker that is down.

The meter blocks, for two seconds and more when Kafka does not answer. So it measures in a thread, one
measurement at a time, and a request waits for it briefly. For a moment after a failure, no measurement is
started and the lag counts as unknown. This is a small **circuit breaker**.
"""

import asyncio
import time

from civildiy.feed.partitions import TopicMeter
from civildiy.feed.schemas import Lag

Offsets = tuple[int | None, ...]

WAIT_SECONDS = 0.6
"""A request waits this long for a measurement; with a healthy broker it takes a few milliseconds."""
CLOSED_SECONDS = 1.0
"""For this time after a failed measurement the lag counts as unknown."""


class PatientMeter:
    """Measures for many requests at the same time, with at most one thread."""

    def __init__(self, meter: TopicMeter) -> None:
        self._meter = meter
        self._running: asyncio.Future[Lag | None] | None = None
        self._offsets: Offsets = ()
        self._failed = float("-inf")

    async def measure(self, next_offsets: Offsets) -> Lag | None:
        """Return the lag of a view with these next offsets, by partition; None if Kafka is silent."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline and time.monotonic() - self._failed > CLOSED_SECONDS:
            running, offsets = self._measurement(next_offsets)
            await asyncio.wait({running}, timeout=deadline - time.monotonic())
            if not running.done():
                return None
            if offsets == next_offsets:  # otherwise it was started for another state of the view
                return running.result()
        return None

    def close(self) -> None:
        """Close the connection."""
        self._meter.close()

    def _measurement(self, next_offsets: Offsets) -> tuple["asyncio.Future[Lag | None]", Offsets]:
        if self._running is None or self._running.done():
            self._offsets = next_offsets
            self._running = asyncio.ensure_future(asyncio.to_thread(self._meter.measure, next_offsets))
            self._running.add_done_callback(self._ended)
        return self._running, self._offsets

    def _ended(self, running: "asyncio.Future[Lag | None]") -> None:
        if running.cancelled() or running.exception() is not None or running.result() is None:
            self._failed = time.monotonic()
