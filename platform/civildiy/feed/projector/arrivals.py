"""How long events take from the change of a post to the feed, as a histogram of the projector."""

from collections.abc import Sequence
from datetime import UTC, datetime

from prometheus_client import Histogram

from civildiy.contracts.posts.envelope import PostEvent

SECONDS = Histogram(
    "event_to_feed_seconds",
    "Seconds from the change of a post until its event is in the view",
    # The objective is 2 s, so one bucket ends there: a histogram knows nothing between two bounds.
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600),
)


def observe(events: Sequence[PostEvent]) -> None:
    """Record how old these events are, now that they are applied."""
    now = datetime.now(UTC)
    for event in events:
        SECONDS.observe(max((now - event.time).total_seconds(), 0))
