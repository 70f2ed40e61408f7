"""W3C trace context: one id that follows a request through services and events.

Format: https://www.w3.org/TR/trace-context/ (version 00).
"""

import re
import secrets

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def trace_id(traceparent: str) -> str:
    """Return the trace id of a traceparent; empty when the traceparent is not valid."""
    return traceparent.split("-")[1] if _TRACEPARENT.fullmatch(traceparent) else ""


def continued_trace(traceparent: str | None) -> str:
    """Return the caller's traceparent with a new span id, or a new trace when there is no valid one."""
    if traceparent and _TRACEPARENT.fullmatch(traceparent):
        version, trace, _, flags = traceparent.split("-")
    else:
        version, trace, flags = "00", secrets.token_hex(16), "01"
    return f"{version}-{trace}-{secrets.token_hex(8)}-{flags}"
