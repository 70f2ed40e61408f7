"""How late the event loop runs what is due: one blocking call delays every request of the process."""

import asyncio

from prometheus_client import Histogram

EVERY_SECONDS = 0.25
DELAY = Histogram(
    "event_loop_delay_seconds",
    "How late a timer of the event loop fires",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)


async def watch_loop() -> None:
    """Measure the delay of a timer until this is cancelled; a delay is the time that a request waits, too."""
    loop = asyncio.get_running_loop()
    while True:
        planned = loop.time() + EVERY_SECONDS
        await asyncio.sleep(EVERY_SECONDS)
        DELAY.observe(max(loop.time() - planned, 0))
