"""The switch for telemetry: whether this process records spans, and sends them to a collector.

Without OTEL_EXPORTER_OTLP_ENDPOINT, the default, nothing of OpenTelemetry's SDK is imported. So a system
without the option `--with observability` is as fast and as small as if this package did not exist.
"""

import asyncio
import atexit
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from structlog.typing import Processor

from civildiy.chassis.observability import tracing

if TYPE_CHECKING:
    from fastapi.telemetry import TelemetryConfig
    from starlette.types import Scope

    from civildiy.chassis.observability.exporting import Exporting

UNWATCHED = ("/health", "/ready", "/metrics")
"""Requests of Consul, of the scraper and of people who look: a trace of each would hide the others."""


_exporting: "Exporting | None" = None


def is_on() -> bool:
    """Return whether this process records spans."""
    return bool(os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"))


def start(unit: str) -> None:
    """Record the spans of this process from now on, under the name `unit`; without the switch, do nothing.

    A service calls it before it creates its application, a worker before it connects to anything.
    """
    global _exporting  # one process, one unit
    if _exporting is not None or not is_on():
        return
    from civildiy.chassis.loading import load_settings
    from civildiy.chassis.observability import propagation
    from civildiy.chassis.observability.exporting import Exporting, TelemetrySettings

    _exporting = Exporting(unit, load_settings(TelemetrySettings))
    tracing.read_span_by(propagation.current_traceparent)
    atexit.register(stop)


def stop() -> None:
    """Send what is waiting, for less than a second, and record nothing more; may be called twice."""
    global _exporting
    if _exporting is not None:
        _exporting.stop()
        _exporting = None


def watch_loop() -> "asyncio.Task[None] | None":
    """Measure the event loop's delay in a task, which the caller cancels; None while telemetry is off."""
    if not is_on():
        return None
    from civildiy.chassis.observability import loop_delay

    return asyncio.create_task(loop_delay.watch_loop())


def for_fastapi() -> "TelemetryConfig":
    """Return how FastAPI makes a span for each request; it makes none while telemetry is off.

    Its metrics and logs stay off: Prometheus collects the metrics (`observability.metrics`), and our own
    handlers log errors. Its spans for dependencies and serialization cost as much as all others together.
    """
    if not is_on():
        return {"tracing": False, "metrics": False, "logs": False}
    return {"tracing": True, "metrics": False, "logs": False, "operation_spans": False, "exclude": _left_out}


def _left_out(scope: "Scope") -> bool:
    """Tell whether a request needs no span: a question about health, or its caller does not record it.

    A span that is not recorded costs two fifths of one that is, and with a low TRACE_RATIO nearly all
    requests would pay for it. An event of such a request names the caller's span, as without telemetry.
    """
    if str(scope.get("path", "")).endswith(UNWATCHED):
        return True
    headers: Sequence[tuple[bytes, bytes]] = scope.get("headers", ())
    sent = next((value for name, value in headers if name == b"traceparent"), b"")
    return tracing.declined(sent.decode("latin-1"))


def log_processors() -> Sequence[Processor]:
    """Return what adds the ids of the current span to each log line; nothing while telemetry is off."""
    if not is_on():
        return ()
    from civildiy.chassis.observability.propagation import add_trace_ids

    return (add_trace_ids,)
