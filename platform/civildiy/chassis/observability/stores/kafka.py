"""A span for each record that a producer sends, in the trace of its event, and counts of the records."""

from time import perf_counter
from typing import Any

from kafka import KafkaProducer
from kafka.producer.future import FutureRecordMetadata
from prometheus_client import Counter, Histogram

from civildiy.chassis.observability.propagation import traceparent_in
from civildiy.chassis.observability.spans import failed, start_publish_span

PUBLISHED = Counter(
    "events_published", "Records that the broker acknowledged or refused", ["topic", "outcome"]
)
PUBLISH_SECONDS = Histogram("event_publish_seconds", "Seconds from send to the broker's answer", ["topic"])


class TracedProducer(KafkaProducer):  # type: ignore[misc]
    """kafka-python's producer with a span from `send` to the broker's acknowledgement.

    The trace comes from the record itself. So the relay, the dead letters and a redrive all continue the
    trace of the request that caused the event, also hours later.
    """

    def send(
        self, topic: str, value: bytes | None = None, key: bytes | None = None, **options: Any
    ) -> FutureRecordMetadata:
        """Hand a record to the producer; the span ends in the producer's own thread."""
        span = start_publish_span(topic, traceparent_in(value), (key or b"").decode(errors="replace")[:100])
        began = perf_counter()

        def ended(outcome: str, error: BaseException | None = None) -> None:
            PUBLISHED.labels(topic, outcome).inc()
            PUBLISH_SECONDS.labels(topic).observe(perf_counter() - began)
            if error is not None:
                failed(span, error)
            if span is not None:
                span.end()

        try:
            future = super().send(topic, value=value, key=key, **options)
        except BaseException as error:
            ended("refused", error)
            raise
        future.add_callback(lambda _: ended("acknowledged"))
        future.add_errback(lambda error: ended("refused", error))
        return future
