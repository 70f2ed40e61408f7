"""The spans of our own code: each is ended, belongs to its trace, and is made only inside of one."""

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.errors import KafkaTimeoutError
from kafka.future import Future
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import SpanKind, StatusCode
from redis.exceptions import ConnectionError as RedisUnreachable
from redis.exceptions import RedisError

from civildiy.chassis.observability import propagation, spans, tracing
from civildiy.chassis.observability.logging import formatter
from civildiy.chassis.observability.sampling import sampler
from civildiy.chassis.observability.span_lines import SpanLines
from civildiy.chassis.observability.stores.kafka import TracedProducer
from civildiy.chassis.observability.stores.mongodb import MongoSpans
from civildiy.contracts.posts.envelope import encode
from civildiy.feed.projector.observed import TracedProjection
from civildiy.feed.projector.projection import Projection
from civildiy.posts.document import new_post
from civildiy.posts.relay.outbox import put_event

RECORDED = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
UNRECORDED = RECORDED[:-2] + "00"
EXPORTER = InMemorySpanExporter()


@pytest.fixture(scope="module", autouse=True)
def provider() -> None:
    """Let the process record spans; OpenTelemetry takes one provider for each process."""
    made = TracerProvider(sampler=sampler(1.0), shutdown_on_exit=False)
    trace.set_tracer_provider(made)
    current = trace.get_tracer_provider()
    assert isinstance(current, TracerProvider)
    current.add_span_processor(SimpleSpanProcessor(EXPORTER))


@pytest.fixture(autouse=True)
def emptied() -> None:
    EXPORTER.clear()


def ended() -> dict[str, ReadableSpan]:
    return {span.name: span for span in EXPORTER.get_finished_spans()}


def request() -> Any:
    """Begin a trace, as FastAPI does for a request."""
    return trace.get_tracer("test").start_as_current_span("request", kind=SpanKind.SERVER)


def unrecorded() -> Any:
    return trace.use_span(trace.get_current_span(propagation.context_of(UNRECORDED)))


def test_a_call_to_a_store_is_a_child_of_the_request() -> None:
    with request(), spans.store_span("redis", "GET"):
        pass
    found = ended()
    assert found["GET"].parent == found["request"].context
    assert found["GET"].kind is SpanKind.CLIENT
    assert dict(found["GET"].attributes or {}) == {"db.system.name": "redis", "db.operation.name": "GET"}


def test_a_failed_call_is_ended_and_marked() -> None:
    with request(), pytest.raises(ZeroDivisionError), spans.store_span("redis", "GET"):
        raise ZeroDivisionError
    span = ended()["GET"]
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "ZeroDivisionError"


def test_there_is_no_span_outside_of_a_recorded_trace() -> None:
    with spans.store_span("redis", "GET"):
        pass
    with unrecorded(), spans.store_span("redis", "GET"):
        pass
    assert spans.start_publish_span("topic", UNRECORDED, "key") is None
    assert spans.start_process_span("topic", "no traceparent", "key") is None
    assert not ended()


def command(name: str, number: int, **fields: Any) -> Any:
    return SimpleNamespace(command_name=name, request_id=number, command=fields)


def test_each_command_of_mongodb_is_ended_also_a_failed_one() -> None:
    listener = MongoSpans()
    with request():
        listener.started(command("insert", 1, insert="posts"))
        listener.started(command("find", 2, find="posts"))
        listener.failed(command("insert", 1))
        listener.succeeded(command("find", 2))
    found = ended()
    assert found["insert posts"].status.status_code is StatusCode.ERROR
    assert found["find posts"].status.status_code is StatusCode.UNSET
    assert not listener._open


def test_mongodb_is_not_recorded_outside_of_a_trace() -> None:
    listener = MongoSpans()
    listener.started(command("find", 2, find="posts"))
    listener.succeeded(command("find", 2))
    assert not ended()


def event(traceparent: str = RECORDED) -> Any:
    post = new_post(7, "title", 'a "traceparent":"' + UNRECORDED + '" in a text', [], None, datetime.now(UTC))
    return put_event("post.created", post, post["created_at"], traceparent)


@pytest.fixture
def future(monkeypatch: pytest.MonkeyPatch) -> Future:
    """Replace the sending itself: what remains is the span around it."""
    made = Future()
    monkeypatch.setattr(KafkaProducer, "send", lambda self, topic, **options: made)
    monkeypatch.setattr(KafkaProducer, "__init__", lambda self: None)
    monkeypatch.setattr(KafkaProducer, "__del__", lambda self: None, raising=False)
    return made


def test_a_record_continues_the_trace_of_its_event(future: Future) -> None:
    TracedProducer().send("posts-events", key=b"one", value=encode(event()))
    assert not ended()  # the broker has not answered yet
    future.success(None)
    span = ended()["send posts-events"]
    assert span.kind is SpanKind.PRODUCER
    assert trace.format_trace_id(span.context.trace_id) == "a" * 32
    assert span.parent is not None
    assert trace.format_span_id(span.parent.span_id) == "b" * 16
    assert (span.attributes or {})["messaging.kafka.message.key"] == "one"


def test_a_refused_record_is_ended_and_marked(future: Future) -> None:
    TracedProducer().send("posts-events", key=b"one", value=encode(event()))
    future.failure(KafkaTimeoutError("no answer"))
    assert (ended()["send posts-events"].attributes or {})["error.type"] == "KafkaTimeoutError"


def test_a_record_that_cannot_be_sent_is_ended(monkeypatch: pytest.MonkeyPatch, future: Future) -> None:
    def send(self: KafkaProducer, topic: str, **options: Any) -> None:
        raise KafkaTimeoutError

    monkeypatch.setattr(KafkaProducer, "send", send)
    with pytest.raises(KafkaTimeoutError):
        TracedProducer().send("posts-events", key=b"one", value=encode(event()))
    assert "send posts-events" in ended()


@pytest.mark.parametrize("value", [None, b"", b"no json", b'{"traceparent": 7}', b"\xff"])
def test_a_record_without_a_trace_is_sent_without_a_span(future: Future, value: bytes | None) -> None:
    TracedProducer().send("posts-events", key=b"one", value=value)
    future.success(None)
    assert not ended()


def test_a_dead_letter_that_cannot_be_decoded_stays_in_its_trace() -> None:
    cut = encode(event())[:-20]
    assert propagation.traceparent_in(cut) == RECORDED


def test_each_event_of_a_batch_is_processed_in_its_own_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Projection, "_send", lambda *_: None)
    second = RECORDED.replace("a" * 32, "c" * 32)
    batch = [event(), event(second), event(UNRECORDED)]
    TracedProjection(None).apply(batch, 3, 0, 0)  # type: ignore[arg-type]
    found = EXPORTER.get_finished_spans()
    traces = sorted((trace.format_trace_id(span.context.trace_id)[0], span.name) for span in found)
    assert traces == [(t, n) for t in "ac" for n in ("EVALSHA", "process posts-events")]


def test_a_failed_batch_is_ended_and_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    def send(*_: object) -> None:
        raise RedisUnreachable

    monkeypatch.setattr(Projection, "_send", send)
    with pytest.raises(RedisError):
        TracedProjection(None).apply([event()], 1, 0, 0)  # type: ignore[arg-type]
    assert {span.status.status_code for span in ended().values()} == {StatusCode.ERROR}
    assert len(ended()) == 2


def test_an_event_carries_the_span_that_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "_of_current_span", propagation.current_traceparent)
    with request() as span:
        carried = tracing.continued_trace(UNRECORDED)
        context = span.get_span_context()
    assert carried.split("-")[1:3] == [
        trace.format_trace_id(context.trace_id),
        trace.format_span_id(context.span_id),
    ]
    assert tracing.continued_trace(RECORDED) == RECORDED  # outside of a span: the caller's, unchanged


def test_a_log_line_names_its_span() -> None:
    line = formatter("json", "posts", [propagation.add_trace_ids])
    record = __import__("logging").LogRecord("civildiy", 20, "f", 1, "hello", (), None)
    with request() as span:
        text = line.format(record)
    context = span.get_span_context()
    assert f'"trace_id":"{trace.format_trace_id(context.trace_id)}"' in text
    assert f'"span_id":"{trace.format_span_id(context.span_id)}"' in text
    assert "trace_id" not in line.format(record)


@pytest.mark.parametrize(("ratio", "parent", "recorded"), [
    (0.0, RECORDED, True), (1.0, UNRECORDED, False), (1.0, "", True), (0.0, "", False),
])  # fmt: skip
def test_the_caller_decides_before_the_ratio(ratio: float, parent: str, recorded: bool) -> None:
    decision = sampler(ratio).should_sample(propagation.context_of(parent), 2**127, "name").decision
    assert (decision is Decision.RECORD_AND_SAMPLE) is recorded


def test_spans_of_requests_at_the_same_time_are_not_mixed_up() -> None:
    async def one(name: str) -> None:
        with request() as span:
            await asyncio.sleep(0)
            with spans.store_span("redis", name):
                await asyncio.sleep(0)
        made = ended()[name]
        assert made.parent == span.get_span_context()

    async def all_of_them() -> None:
        await asyncio.gather(*(one(f"command {number}") for number in range(5)))

    asyncio.run(all_of_them())


def test_a_recorded_request_is_one_log_line(caplog: pytest.LogCaptureFixture) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SpanLines())
    tracer = provider.get_tracer("test")
    caplog.set_level("INFO")
    with tracer.start_as_current_span("GET /api/posts", kind=SpanKind.SERVER) as span:
        span.set_attribute("http.response.status_code", 200)
        tracer.start_span("find posts", kind=SpanKind.CLIENT).end()
    (line,) = [record.getMessage() for record in caplog.records if record.name.endswith("span_lines")]
    assert line.startswith("GET /api/posts 200, ")
