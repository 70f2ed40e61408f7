"""Telemetry costs nothing while it is off, and its collector may be down, slow or full."""

import gc
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import psutil
import pytest
from opentelemetry.sdk.trace import TracerProvider

from civildiy.chassis.observability import telemetry
from civildiy.chassis.observability.exporting import WAITING, Exporting, TelemetrySettings
from civildiy.chassis.settings import SettingsRefused
from lab.home import PLATFORM

END_SECONDS = 0.9
NOWHERE = "http://127.0.0.1:9"


@contextmanager
def silent_collector() -> Iterator[str]:
    """Listen, accept, and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


class Full(BaseHTTPRequestHandler):
    """Refuses each batch, as a collector does whose own queue is full."""

    def do_POST(self) -> None:
        """Read the batch, and ask the client to come again much later."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(503)
        self.send_header("Retry-After", "60")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


class Slow(Full):
    """Answers, but one byte at a time: each byte restarts a time limit that counts from byte to byte."""

    def do_POST(self) -> None:
        """Send a header that does not end."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        with suppress(OSError):  # the client may go
            for _ in range(200):
                self.wfile.write(b"x")
                time.sleep(0.1)


@contextmanager
def answering_collector(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve a collector whose answers `handler` writes."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


COLLECTORS: dict[str, Callable[[], AbstractContextManager[str]]] = {
    "down": lambda: nullcontext(NOWHERE),
    "silent": silent_collector,
    "full": partial(answering_collector, Full),
    "slow": partial(answering_collector, Slow),
}


@pytest.fixture
def exporting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the provider of other tests: a process can set only one."""
    monkeypatch.setattr("opentelemetry.trace.set_tracer_provider", lambda provider: None)


def provider_of(made: Exporting) -> TracerProvider:
    return made._provider


@pytest.mark.parametrize("collector", COLLECTORS)
def test_nothing_waits_for_a_collector(exporting: None, collector: str) -> None:
    with COLLECTORS[collector]() as url:
        made = Exporting("posts", settings(url))
        tracer = provider_of(made).get_tracer("test")
        longest = 0.0
        gc.disable()  # a collection of all objects of the test run takes longer than any span
        began = time.monotonic()
        while time.monotonic() - began < 2.5:  # the sending thread works meanwhile, and fails
            start = time.thread_time()
            tracer.start_span("one").end()
            longest = max(longest, time.thread_time() - start)
            time.sleep(0.001)
        gc.enable()
        began = time.monotonic()
        made.stop()
        # A thread gets its turn later on a busy machine; without the limit, stop() would wait for seconds.
        assert time.monotonic() - began < END_SECONDS + 0.5
    assert longest < 0.05


@pytest.mark.parametrize("collector", COLLECTORS)
def test_a_full_queue_loses_the_oldest_spans_and_no_memory(exporting: None, collector: str) -> None:
    with COLLECTORS[collector]() as url:
        made = Exporting("posts", settings(url))
        tracer = provider_of(made).get_tracer("test")
        process = psutil.Process()

        def send(count: int) -> int:
            for number in range(count):
                tracer.start_span(f"span {number}", attributes={"text": "x" * 200}).end()
            return int(process.memory_info().rss)

        before = send(2 * WAITING)  # from here on the queue is full
        after = send(20 * WAITING)
        assert after - before < 8_000_000
        made.stop()


def settings(endpoint: str) -> TelemetrySettings:
    return TelemetrySettings(otel_exporter_otlp_endpoint=endpoint)


@pytest.mark.parametrize("ratio", ["2", "-1", "all"])
def test_a_ratio_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, ratio: str) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", NOWHERE)
    monkeypatch.setenv("TRACE_RATIO", ratio)
    with pytest.raises(SettingsRefused, match="TRACE_RATIO"):
        telemetry.start("posts")


def test_it_is_off_without_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    telemetry.start("posts")
    assert telemetry._exporting is None
    assert telemetry.for_fastapi() == {"tracing": False, "metrics": False, "logs": False}
    assert not telemetry.log_processors()


@pytest.mark.parametrize(("path", "left_out"), [
    ("/health", True), ("/api/posts/health", True), ("/metrics", True), ("/api/posts", False),
])  # fmt: skip
def test_questions_about_health_are_left_out(
    monkeypatch: pytest.MonkeyPatch, path: str, left_out: bool
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", NOWHERE)
    exclude = telemetry.for_fastapi()["exclude"]
    assert exclude is not None
    assert exclude({"path": path}) is left_out


TRACE = f"00-{'a' * 32}-{'b' * 16}"


@pytest.mark.parametrize(("traceparent", "left_out"), [
    (f"{TRACE}-00", True), (f"{TRACE}-02", True), (f"{TRACE}-01", False), (f"{TRACE}-03", False),
    (f"00-{'0' * 32}-{'b' * 16}-00", False), ("hello", False), ("", False),
])  # fmt: skip
def test_a_request_that_its_caller_does_not_record_is_left_out(
    monkeypatch: pytest.MonkeyPatch, traceparent: str, left_out: bool
) -> None:
    """A text that is no traceparent decides nothing, so the sampler decides."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", NOWHERE)
    exclude = telemetry.for_fastapi()["exclude"]
    assert exclude is not None
    headers = [(b"host", b"service"), (b"traceparent", traceparent.encode())]
    assert exclude({"path": "/api/posts", "headers": headers}) is left_out


PROGRAM = """
import sys
from civildiy import __main__ as program
program.WORKERS["posts-relay"] = "modules_of"
class Modules:
    @staticmethod
    def main():
        import {module}
        print([name for name in sys.modules if name.startswith("opentelemetry.sdk.")])
sys.modules["modules_of"] = Modules
program.main("posts-relay")
"""


@pytest.mark.parametrize("module", ["civildiy.feed.projector.main", "civildiy.feed.app", "civildiy.auth.app"])
def test_a_process_without_telemetry_loads_no_sdk(module: str) -> None:
    env = {k: v for k, v in os.environ.items() if not k.startswith("OTEL_")} | {"PYTHONPATH": str(PLATFORM)}
    ran = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM.format(module=module)],
        env=env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ran.stdout.strip() == "[]"
