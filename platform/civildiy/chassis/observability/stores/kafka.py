"""A span for each record that a producer sends, in the trace of the record's event."""

from typing import Any

from kafka import KafkaProducer
from kafka.producer.future import FutureRecordMetadata

from civildiy.chassis.observability.propagation import traceparent_in
from civildiy.chassis.observability.spans import failed, start_publish_span


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
        if span is None:
            return super().send(topic, value=value, key=key, **options)
        try:
            future = super().send(topic, value=value, key=key, **options)
        except BaseException as error:
            failed(span, error)
            span.end()
            raise

        def refused(error: BaseException) -> None:
            failed(span, error)
            span.end()

        future.add_callback(lambda _: span.end())
        future.add_errback(refused)
        return future
