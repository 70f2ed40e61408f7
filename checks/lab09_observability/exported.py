"""Step 4: how spans leave the process, with a collector that hangs and with one that answers."""

import json

from grading.learner_process import beside
from grading.outcome import require
from grading.plugin import check

from lab.course.exercise import Exercise
from lab.deadlines import slow

MODULE = "civildiy.chassis.observability.exporting"
QUEUE = """
import json, threading, time
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from civildiy.chassis.observability.exporting import in_background

class Collector(SpanExporter):
    def __init__(self, hangs):
        self.goes_on, self.batches, self.hangs = threading.Event(), [], hangs

    def export(self, spans):
        self.goes_on.wait(self.hangs)
        self.batches.append([len(spans), time.monotonic()])
        return SpanExportResult.SUCCESS

def provider(collector):
    made = TracerProvider(shutdown_on_exit=False)
    made.add_span_processor(in_background(collector))
    return made

def end(made, count):
    tracer, worst = made.get_tracer("check"), 0.0
    began = time.monotonic()
    for number in range(count):
        tracer.start_span("s").end()
        if time.monotonic() - began > 8:
            break
    return time.monotonic() - began

found = {"one": end(provider(Collector(3)), 1)}
if found["one"] > 2:
    say(json.dumps(found))
    raise SystemExit
hanging = Collector(60)
made = provider(hanging)
end(made, 1)
time.sleep(1.5)
found["many"] = end(made, 8000)
hanging.goes_on.set()
made.force_flush(8000)
found["kept"] = sum(count for count, _ in hanging.batches)
found["largest"] = max((count for count, _ in hanging.batches), default=0)

well = Collector(0)
other = provider(well)
began = time.monotonic()
end(other, 3)
while not well.batches and time.monotonic() - began < 8:
    time.sleep(0.01)
found["sent"] = sum(count for count, _ in well.batches)
found["after"] = time.monotonic() - began
say(json.dumps(found))
"""
WHERE = "Look at `in_background` in exporting.py."


@check(points=3)
def test_no_request_waits_for_the_collector(lab: Exercise) -> None:
    """Ending a span never waits, what waits is bounded, and a collector that answers gets it soon"""
    with beside(lab, "posts", QUEUE, only=(MODULE,)) as module:
        found = json.loads(module.hear("spans to end while the collector hangs", within=30))
    did = "let the collector hang for 3 s, and ended a span meanwhile"
    require(
        found["one"] < 1,
        did,
        expected="that it goes on at once",
        saw=f"{found['one']:.1f} s",
        means="The thread that ends a span answers a request. With `SimpleSpanProcessor` each request waits"
        f" for the collector. `BatchSpanProcessor` puts spans into a queue. {WHERE}",
    )
    did = "let the collector hang, ended 8,000 spans, and counted what it got when it went on"
    require(
        found["many"] < 5 * slow(),
        did,
        expected="that no span waits for the collector",
        saw=f"{found['many']:.1f} s for 8,000 spans",
        means=f"A full queue must lose spans, and never hold up a request. {WHERE}",
    )
    require(
        found["kept"] <= 2048 + 2 * 512,
        did,
        expected="at most 2,048 waiting spans, and a batch of 512",
        saw=f"{found['kept']} spans",
        means="A collector that is down for an hour must not fill the memory of a service, so the queue has a"
        f" limit: `max_queue_size=WAITING`. {WHERE}",
    )
    require(
        found["kept"] >= 1024 and found["largest"] <= 512,
        did,
        expected="at least 1,024 spans, in batches of 512 at most",
        saw=f"{found['kept']} spans, and {found['largest']} in the largest batch",
        means="The queue holds WAITING spans and sends BATCH at a time; each option of `BatchSpanProcessor`"
        f" has its constant. {WHERE}",
    )
    most = 2.5 + slow()
    require(
        found["sent"] == 3 and found["after"] < most,
        "ended three spans with a collector that answers",
        expected=f"all three there within {most:g} s",
        saw=f"{found['sent']} after {found['after']:.1f} s",
        means="A person who looks for a trace expects it now. The thread sends what waits every EVERY_MS"
        f" milliseconds, also if the batch is not full: `schedule_delay_millis`. {WHERE}",
    )


STOP = """
import json, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from opentelemetry import trace
from civildiy.chassis.observability.exporting import Exporting, TelemetrySettings

got = []
until = float("inf") if HOLDS else 0
class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        got.append(len(self.rfile.read(int(self.headers["Content-Length"]))))
        # Bytes that come slowly are no silence, so no time limit of a client ends this answer.
        self.wfile.write(b"HTTP/1.1 200 OK\\r\\nX-Wait: ")
        while time.monotonic() < until:
            self.wfile.write(b".")
            time.sleep(0.2)
        self.wfile.write(b"\\r\\nContent-Length: 0\\r\\n\\r\\n")
        self.close_connection = True
    def log_message(self, *words):
        pass

made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=made.serve_forever, daemon=True).start()
port = made.server_port
settings = TelemetrySettings(otel_exporter_otlp_endpoint=f"http://127.0.0.1:{port}", metrics_address="")
exporting = Exporting("check", settings)
for _ in range(COUNT):
    with trace.get_tracer("check").start_as_current_span("s"):
        pass
began = time.monotonic()
until = began + HOLDS
exporting.stop()
took = time.monotonic() - began
say(json.dumps([took, len(got)]))
"""
AT_ONCE = 0.6
"""Seconds in which a few spans are sent for sure; a fixed wait for END_SECONDS takes 0.8."""
ENDS, HOLDS = 4.0, 7.0
"""Seconds after which a process has ended, and for which the slow collector holds one that waits for it."""


KEPT = (
    "`stop` returned, and something keeps the process alive: Python waits for each thread that is no daemon,"
    " for the threads of a pool, and for what `atexit` calls."
)


def _again(lab: Exercise, program: str, means: str) -> float:
    with beside(lab, "posts", program, only=(MODULE,)) as module:
        return float(json.loads(module.hear("stop() to return", within=25, means=means))[0])


@check(points=3)
def test_the_end_waits_a_moment_only(lab: Exercise) -> None:
    """stop() sends what waits, and takes less than a second if the collector does not answer"""
    means = (
        "Kubernetes, Compose and systemd give a process some seconds to end, and then kill it. Run"
        " `self._provider.shutdown` in a daemon thread, and wait with `join(END_SECONDS)`."
    )
    for kind, count, holds in (("answers", 5, 0.0), ("hangs", 3000, HOLDS * slow())):
        program = STOP.replace("HOLDS", str(holds)).replace("COUNT", str(count))
        with beside(lab, "posts", program, only=(MODULE,)) as module:
            took, got = json.loads(module.hear("stop() to return", within=25, means=means))
            if kind == "answers" and took > AT_ONCE:  # the machine may have been busy for a moment
                took = min(took, _again(lab, program, means))
            if kind == "hangs":
                module.end("the process to end after stop()", within=ENDS, means=f"{KEPT} {means}")
        did = f"ended {count:,} spans, and called stop() with a collector that {kind}"
        most = 0.8 + 0.1 * slow() if kind == "hangs" else AT_ONCE
        if kind == "answers":
            require(
                got >= 1,
                did,
                expected="that the collector has got the spans when stop() returns",
                saw="no request",
                means="The last requests before the end are often the interesting ones. `shutdown()` of the"
                " provider sends what waits.",
            )
        require(
            took <= most,
            did,
            expected=f"it to return within {most:.1f} s",
            saw=f"{took:.2f} s",
            means=means
            if kind == "hangs"
            else "With a collector that answers, everything is sent in some"
            " milliseconds: wait for the thread, and not for a fixed time.",
        )
