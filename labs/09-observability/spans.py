"""The spans of our own code: around a call to a store, around publishing, around processing.

FastAPI makes the span of each request. What happens inside and after it is only visible if we make spans for
it. Names and attributes follow OpenTelemetry's semantic conventions, so any tool can read them:
https://opentelemetry.io/docs/specs/semconv/db/ and https://opentelemetry.io/docs/specs/semconv/messaging/

Each span here is made inside of a trace that is recorded. The polling of a worker belongs to no request; a
span for each poll would begin thousands of traces a day that nobody asked for.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from civildiy.chassis.observability.propagation import context_of

_tracer = trace.get_tracer("civildiy")


def start_store_span(
    system: str, operation: str, target: str = "", within: Span | None = None
) -> Span | None:
    """Start the span of one call to a store; None outside of a recorded trace. The caller must end it.

    `system` is 'mongodb', 'postgresql' or 'redis', `operation` the command, such as 'insert', and `target`
    the collection or table. None of them comes from a client, so the number of span names is bounded.

    - The parent is `within`, or else the current span. If the parent does not record
      (`is_recording()` is False), return None: nobody asked for this call's trace.
    - The span's name is "insert posts", or "EVAL_RO" without a target. Its kind is `SpanKind.CLIENT`.
    - Its attributes are `db.system.name`, `db.operation.name` and, if there is a target,
      `db.collection.name`.

    `_tracer.start_span(name, context, kind, attributes)` starts a span; `trace.set_span_in_context(parent)`
    is the context in which `parent` is the parent.
    """
    parent = within or trace.get_current_span()
    if not parent.is_recording():
        return None
    attributes = {"db.system.name": system, "db.operation.name": operation}
    if target:
        attributes["db.collection.name"] = target
    name = f"{operation} {target}".strip()
    return _tracer.start_span(name, trace.set_span_in_context(parent), SpanKind.CLIENT, attributes)


@contextmanager
def store_span(system: str, operation: str, target: str = "") -> Iterator[None]:
    """Record the block as one call to a store; outside of a recorded trace, only run the block.

    The span ends when the block does, also if that raises. An exception marks the span by `failed` before
    it ends, and passes on unchanged. A cancelled request raises one, too, and it is no `Exception`: it is a
    `BaseException`. Example: `with store_span("mongodb", "insert", "posts"): …`.
    """
    raise NotImplementedError("Lab 09, step 2: write store_span")


def start_publish_span(topic: str, traceparent: str, key: str) -> Span | None:
    """Start the span of one record that is sent to `topic`; None if its trace is not recorded.

    The trace is that of the event, not that of the unit which sends it: hours may lie between them. The
    caller must end the span when the broker has acknowledged the record, or has not.
    """
    return _start_event_span(SpanKind.PRODUCER, "send", topic, traceparent, key)


def start_process_span(topic: str, traceparent: str, key: str) -> Span | None:
    """Start the span of one event that is processed; None if its trace is not recorded."""
    return _start_event_span(SpanKind.CONSUMER, "process", topic, traceparent, key)


def failed(span: Span | None, error: BaseException) -> None:
    """Mark a span as failed: its status is ERROR, and `error.type` is the name of the error's class.

    The error's text stays out of the span, because it may hold data of a user. None stands for a span that
    is not recorded; then there is nothing to mark. `span.set_status(Status(StatusCode.ERROR))` sets the
    status, and `span.set_attribute(name, value)` sets an attribute. Example: after
    `failed(span, KeyError("7"))`, `error.type` is "KeyError".
    """
    raise NotImplementedError("Lab 09, step 2: write failed")


def _start_event_span(kind: SpanKind, operation: str, topic: str, traceparent: str, key: str) -> Span | None:
    attributes = {
        "messaging.system": "kafka",
        "messaging.operation.type": operation,
        "messaging.destination.name": topic,
        "messaging.kafka.message.key": key,
    }
    return _continued(f"{operation} {topic}", traceparent, kind, attributes)


def _continued(name: str, traceparent: str, kind: SpanKind, attributes: dict[str, str]) -> Span | None:
    """Start a span in the trace of `traceparent`, which began in another process; None if it is not recorded.

    The span that `traceparent` names is the parent, whatever the current span is. `context_of(traceparent)`
    is the context for `start_span`. `trace.get_current_span(context).get_span_context().trace_flags.sampled`
    tells whether the trace is recorded. A text that is no traceparent names no trace, so the result is None.
    Example: `_continued("send posts-events", "00-…-01", SpanKind.PRODUCER, {})` returns a span.
    """
    raise NotImplementedError("Lab 09, step 3: write _continued")
