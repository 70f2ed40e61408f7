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
    """Return the traceparent of the current span; '' outside of a trace. Never invent one.

    `propagate.inject(carrier)` writes the context into a dict, under the names of HTTP headers, such as
    "traceparent". Outside of a trace it writes nothing.
    """
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier.get("traceparent", "")


def context_of(traceparent: str) -> Context:
    """Return the context that a traceparent describes: the parent for the spans of the unit that reads it.

    `propagate.extract(carrier)` reads it from a dict like the one above. The last two digits of a traceparent
    say whether the trace is recorded (01 and 03: yes), and `extract` keeps that. A text that is no
    traceparent gives a context without a trace, also while another span is current. Example:
    `context_of(current_traceparent())` names the current span.
    """
    return propagate.extract({"traceparent": traceparent})


def traceparent_in(event: bytes | None) -> str:
    """Return the traceparent of an event that is still bytes; '' if it has none.

    It must work for a record that is no valid event, because a dead letter continues its trace as well. So
    search with `_IN_EVENT` and decode only what it finds. A record without a value is None. Example: the
    result for b'{"traceparent": "00-…-01"}' is "00-…-01", and for b"hello" it is "".
    """
    found = _IN_EVENT.search(event or b"")
    return found[1].decode() if found else ""


def add_trace_ids(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Add `trace_id` and `span_id` of the current span to a log line; leave lines outside of a trace alone.

    structlog calls it for each line with the line's fields, the dict `event`, and goes on with what it
    returns: the same dict. `trace.get_current_span().get_span_context()` holds both ids as numbers, and
    `is_valid` is False outside of a trace. `trace.format_trace_id` and `trace.format_span_id` write them as
    in a traceparent, with 32 and 16 digits. Example: `{"event": "hello"}` gets `"trace_id": "4bf9…"`.
    """
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event
