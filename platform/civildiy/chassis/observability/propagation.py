"""Carry the trace context where no HTTP header carries it: into an event, out of it, and into log lines.

OpenTelemetry keeps the current span in a context variable, which ends with the process. An event outlives its
request: the outbox keeps it while Kafka is down, and a dead letter waits for days. So the context travels
inside the event, in the extension `traceparent` of CloudEvents, and each later unit continues it from there.

Source: https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/distributed-tracing.md
"""

import re

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from structlog.typing import EventDict, WrappedLogger

_IN_EVENT = re.compile(rb'"traceparent":\s*"(00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2})"')
"""The field in an event's JSON. Inside a text the quotes would be escaped, so a post cannot imitate it."""


def current_traceparent() -> str:
    """Return the traceparent of the current span; '' outside of a trace.

    `propagate.inject(carrier)` writes the context into a dict, under the name of each header; outside of a
    trace it writes nothing.
    """
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier.get("traceparent", "")


def context_of(traceparent: str) -> Context:
    """Return the context that a traceparent describes: the parent for the spans of the unit that reads it.

    `propagate.extract(carrier)` reads it from a dict. A text that is no traceparent gives an empty context,
    and a span in it would begin a new trace.
    """
    return propagate.extract({"traceparent": traceparent})


def traceparent_in(event: bytes | None) -> str:
    """Return the traceparent of an event that is still bytes, even if it cannot be decoded; else ''."""
    found = _IN_EVENT.search(event or b"")
    return found[1].decode() if found else ""


def add_trace_ids(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Add `trace_id` and `span_id` of the current span to a log line; leave lines outside of a trace alone.

    structlog calls it for each line with the line's fields, `event`, and goes on with what it returns. The
    ids are numbers; `trace.format_trace_id` and `trace.format_span_id` write them as in a traceparent.
    """
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event
