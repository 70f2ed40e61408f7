"""W3C trace context: one id that follows a request through services and events.

Format: https://www.w3.org/TR/trace-context/ (version 00).
"""

import re
import secrets

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def continued_trace(traceparent: str | None) -> str:
    """The caller's traceparent with a new span id, or a new trace when there is none usable."""
    if traceparent and _TRACEPARENT.fullmatch(traceparent):
        version, trace_id, _, flags = traceparent.split("-")
    else:
        version, trace_id, flags = "00", secrets.token_hex(16), "01"
    return f"{version}-{trace_id}-{secrets.token_hex(8)}-{flags}"
