"""A span for each command that pymongo sends, by the events that pymongo reports to a listener.

Source: https://pymongo.readthedocs.io/en/stable/api/pymongo/monitoring.html
"""

from opentelemetry.trace import Span
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from civildiy.chassis.observability.spans import failed, start_store_span


class MongoSpans(CommandListener):
    """Starts a span when a command is sent, and ends it when MongoDB has answered or the command has failed.

    pymongo calls `started` and then exactly one of the two others, with the same `request_id`, in the context
    of the request that sent the command.
    """

    def __init__(self) -> None:
        self._open: dict[int, Span] = {}

    def started(self, event: CommandStartedEvent) -> None:
        """Start the span of one command."""
        target = event.command.get(event.command_name)
        span = start_store_span("mongodb", event.command_name, target if isinstance(target, str) else "")
        if span is not None:
            self._open[event.request_id] = span

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """End the span."""
        if span := self._open.pop(event.request_id, None):
            span.end()

    def failed(self, event: CommandFailedEvent) -> None:
        """End the span as failed; without this, the span of each failure would stay open for ever."""
        if span := self._open.pop(event.request_id, None):
            failed(span, _Failure())
            span.end()


class _Failure(Exception):
    """MongoDB refused a command, or the connection broke; pymongo reports no exception here."""
