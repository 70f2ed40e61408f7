"""The projection with a span for each event, in the trace of the request that caused the event.

A rebuild applies the last event of every post. It uses the plain projection, so it makes no spans: they would
flood the collector, and no request is waiting for them.
"""

from collections.abc import Sequence

from redis import Redis

from civildiy.chassis.observability import telemetry
from civildiy.contracts.posts.envelope import POSTS_TOPIC, PostEvent
from civildiy.feed.projector.projection import Projection


def projection_for(redis: Redis, partition: int) -> Projection:
    """Return the projection of a projector; while telemetry is on, one that records what it applies."""
    return TracedProjection(redis, partition) if telemetry.is_on() else Projection(redis, partition)


class TracedProjection(Projection):
    """Makes two spans for each event: one for its processing, and in it one for the call of Redis.

    Events are applied in batches, and a batch is one call of Redis. Its spans stand in the trace of each
    event of the batch, because a reader of one trace wants to see this call, and a span has one parent only.
    """

    def apply(self, events: Sequence[PostEvent], next_offset: int, skipped: int, dead: int) -> None:
        """Apply a batch, as the plain projection does. An error marks the spans of the batch as failed."""
        from civildiy.chassis.observability import spans
        from civildiy.feed.projector.arrivals import observe

        started = [
            spans.start_process_span(POSTS_TOPIC, event.traceparent, event.data.post_id) for event in events
        ]
        calls = [spans.start_store_span("redis", "EVALSHA", within=span) for span in started]
        try:
            super().apply(events, next_offset, skipped, dead)
            observe(events)
        except BaseException as error:
            for span in (*calls, *started):
                spans.failed(span, error)
            raise
        finally:
            for span in (*calls, *started):
                if span is not None:
                    span.end()
