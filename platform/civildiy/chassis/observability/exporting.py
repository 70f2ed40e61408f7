"""Send spans to the collector in the background; a collector that is down, slow or full harms nobody.

A request only appends its spans to a queue. One thread sends them in batches. The queue has a limit: when the
collector does not keep up, the oldest spans are lost, and the memory does not grow. The end of a process
waits for less than a second.
"""

import logging
from threading import Thread

import prometheus_client
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from civildiy.chassis.observability.sampling import sampler
from civildiy.chassis.observability.span_lines import SpanLines

log = logging.getLogger(__name__)

WAITING = 2_048
"""Spans that may wait for the collector, about 1.5 KB each."""
BATCH = 512
EVERY_MS = 1_000
"""A person who looks for the trace of a request finds it after this time."""
ANSWER_SECONDS = 1
"""A batch that the collector does not accept within this time is lost."""
END_SECONDS = 0.8
"""The end of the process waits this long for the last batch."""


class TelemetrySettings(BaseSettings):
    """Where the spans of a unit go, and how many of them."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    otel_exporter_otlp_endpoint: str = ""
    """URL of the collector, such as http://127.0.0.28:4318; empty: record nothing."""
    trace_ratio: float = Field(default=1.0, ge=0, le=1)
    """The share of requests to record, if the caller has not decided; see `sampling`."""
    metrics_address: str = ""
    """host:port at which a worker serves its metrics; empty: nowhere. A service serves them at /metrics."""


def in_background(exporter: SpanExporter) -> SpanProcessor:
    """Return what hands ended spans to `exporter`, in batches and in a thread of its own.

    A span that ends only goes into a queue, so a collector that is slow or down delays no request. At most
    WAITING spans wait; when the queue is full, spans are lost. The thread sends what waits every EVERY_MS
    milliseconds, BATCH spans at most in one batch. `SimpleSpanProcessor(exporter)` would send each span in
    the thread that ends it, which is the one that answers the request. `BatchSpanProcessor` has a queue; its
    options are `max_queue_size`, `schedule_delay_millis` and `max_export_batch_size`. Example:
    `provider.add_span_processor(in_background(OTLPSpanExporter()))`.
    """
    return BatchSpanProcessor(
        exporter,
        max_queue_size=WAITING,
        schedule_delay_millis=EVERY_MS,
        max_export_batch_size=BATCH,
    )


class Exporting:
    """The spans of this process on their way to the collector."""

    def __init__(self, unit: str, settings: TelemetrySettings) -> None:
        # Its errors come with each batch that a collector does not accept. The collector is not needed to
        # serve requests, and ./lab status shows whether it runs.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        endpoint = f"{settings.otel_exporter_otlp_endpoint.rstrip('/')}/v1/traces"
        exporter = OTLPSpanExporter(endpoint=endpoint, timeout=ANSWER_SECONDS)
        self._provider = TracerProvider(
            sampler=sampler(settings.trace_ratio),
            resource=Resource.create({"service.name": unit}),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(in_background(exporter))
        self._provider.add_span_processor(SpanLines())
        trace.set_tracer_provider(self._provider)

        if settings.metrics_address:
            _serve_metrics(settings.metrics_address)

    def stop(self) -> None:
        """Send what waits, for END_SECONDS at most; return as soon as it is sent.

        `self._provider.shutdown()` sends the rest and ends the thread of the queue. With a collector that
        does not answer, it takes many seconds, and its own time limits do not end it. A thread with
        `daemon=True` does not keep the process alive, and `join(seconds)` waits no longer than that for its
        end. Example: with a paused collector, `stop` returns after END_SECONDS.
        """
        # The SDK's own shutdown waits for every batch. In a thread that nobody waits for, it may take as long
        # as it needs; the process ends meanwhile.
        ending = Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(END_SECONDS)


def _serve_metrics(address: str) -> None:
    """Serve the metrics of a worker in a thread. Without its port, the worker works on without them."""
    host, _, port = address.rpartition(":")
    try:
        prometheus_client.start_http_server(int(port), host)
    except OSError as error:
        log.warning("no metrics are served at %s: %s", address, error)
