"""One log line for each recorded request, published record and processed event, with the ids of its trace.

So the log of each unit can be searched for one request. Calls to stores write no line: the trace
has them. With a lower TRACE_RATIO there are fewer lines.
"""

import logging

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.trace import NonRecordingSpan, SpanKind

log = logging.getLogger(__name__)

KINDS = (SpanKind.SERVER, SpanKind.PRODUCER, SpanKind.CONSUMER)


class SpanLines(SpanProcessor):
    """Writes a line when a span of one of KINDS ends."""

    def on_end(self, span: ReadableSpan) -> None:
        """Log the name of the span, the status of an answer, the kind of an error, and the duration."""
        if span.kind not in KINDS or span.start_time is None or span.end_time is None:
            return
        attributes = span.attributes or {}
        outcome = attributes.get("http.response.status_code", "")
        error = attributes.get("error.type", "")
        told = " ".join(str(part) for part in (span.name, outcome, error) if part)
        # The span has ended, and perhaps in another thread: the line's processor looks for a current one.
        with trace.use_span(NonRecordingSpan(span.context)):
            log.info("%s, %.1f ms", told, (span.end_time - span.start_time) / 1e6)
