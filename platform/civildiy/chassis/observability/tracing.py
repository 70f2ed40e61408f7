"""W3C trace context: one id that follows a request through services and events.

Format: https://www.w3.org/TR/trace-context/ (version 00). This module knows only the text: it imports nothing
of OpenTelemetry, so it costs nothing in a process that records no spans.
"""

import re
import secrets
from collections.abc import Callable

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

_of_current_span: Callable[[], str] = str
"""Returns the traceparent of the span that is current; '' without one, and while nothing is recorded."""


def read_span_by(source: Callable[[], str]) -> None:
    """Let `continued_trace` use `source`, which returns the traceparent of the current span or ''."""
    global _of_current_span  # set once, by civildiy.chassis.observability.telemetry
    _of_current_span = source


def trace_id(traceparent: str) -> str:
    """Return the trace id of a traceparent; empty when the traceparent is not valid."""
    return traceparent.split("-")[1] if _TRACEPARENT.fullmatch(traceparent) else ""


def declined(traceparent: str) -> bool:
    """Return whether a traceparent is valid and says that its trace is not recorded: the last bit is 0."""
    return _TRACEPARENT.fullmatch(traceparent) is not None and int(traceparent[-2:], 16) % 2 == 0


def continued_trace(traceparent: str | None) -> str:
    """Return the traceparent for what a request causes: an event, or a request to another service.

    It names a span that somebody records: the current span, or else the caller's own, unchanged. Without
    either, a new trace begins here, marked as not recorded (flags 00). Its id still joins log lines.
    """
    if mine := _of_current_span():
        return mine
    if traceparent and _TRACEPARENT.fullmatch(traceparent):
        return traceparent
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"
