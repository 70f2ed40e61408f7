"""Step 3: a context as a text, and spans that continue it in another process."""

from grading.outcome import require
from grading.plugin import check

from lab.course.exercise import Exercise
from lab09_observability.recorder import PROPAGATION, SPANS, run

TEXTS = """
from civildiy.chassis.observability.propagation import context_of, current_traceparent

def read(text):
    try:
        context = trace.get_current_span(context_of(text)).get_span_context()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return [f"{context.trace_id:032x}", f"{context.span_id:016x}", bool(context.trace_flags.sampled)]

written = {"outside of a trace": [current_traceparent(), ""]}
with tracer.start_as_current_span("request") as span:
    context = span.get_span_context()
    wanted = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
    written["within a recorded request"] = [current_traceparent(), wanted]
    written["a second time"] = [current_traceparent(), wanted]
    with tracer.start_as_current_span("inner") as inner:
        context = inner.get_span_context()
        wanted = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
        written["within an inner span"] = [current_traceparent(), wanted]
with trace.use_span(foreign(0, 0x7, 0x9)):
    written["in a trace that is not recorded"] = [current_traceparent(), f"00-{7:032x}-{9:016x}-00"]
written["after the request"] = [current_traceparent(), ""]

T, S = "0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7"
broken = {}
with tracer.start_as_current_span("another request"):
    good = [read(f"00-{T}-{S}-{flags}") for flags in ("01", "03", "00")]
    for text in ("", "nonsense", f"00-{'0' * 32}-{S}-01", f"00-{T[:-1]}-{S}-01", f"00-{T}-{S}"):
        broken[text] = read(text)
say(json.dumps([written, good, broken]))
"""
NONE = ["0" * 32, "0" * 16, False]
T, S = "0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7"


@check(points=3)
def test_context_as_a_text(lab: Exercise) -> None:
    """The current context becomes a traceparent, and a traceparent becomes a context again"""
    written, good, broken = run(lab, TEXTS, PROPAGATION, what="current_traceparent() to return")
    for where, (text, wanted) in written.items():
        require(
            text == wanted,
            f"called current_traceparent() {where}",
            expected="00-, the id of the trace, the id of the current span, and its flags"
            if wanted
            else "an empty text",
            saw=f"{text!r} in place of {wanted!r}",
            means="Nothing is recorded there, so there is no span that a traceparent could name. One that is"
            " invented leads to a parent that no unit has recorded."
            if not wanted
            else "The text names the span that is current now, with its trace, and the last two digits tell"
            " whether it is recorded. `propagate.inject(carrier)` writes it into a dict.",
        )
    for context, flags in zip(good, ("01", "03", "00"), strict=True):
        text, sampled = f"00-{T}-{S}-{flags}", flags != "00"
        require(
            context == [T, S, sampled],
            f'called context_of("{text}") within another request, and read the span of the context',
            expected=f"trace {T}, parent {S}, {'recorded' if sampled else 'not recorded'}",
            saw=context
            if isinstance(context, str)
            else f"trace {context[0]}, parent {context[1]}, {'recorded' if context[2] else 'not recorded'}",
            means="The context of the text is what counts, not the current one: the relay works for many"
            " requests. The flag must survive, or units record what nobody asked for."
            ' `propagate.extract({"traceparent": traceparent})` reads all three.',
        )
    for text, context in broken.items():
        require(
            context == NONE,
            f'called context_of("{text}") within another request, and read the span of the context',
            expected="a context without a trace",
            saw=context,
            means="A text that is no traceparent names no trace, and it must neither raise, because old"
            " events have none, nor give the span that happens to be current.",
        )


BYTES = """
from civildiy.chassis.observability.propagation import traceparent_in
import orjson

T = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"
fake = '"traceparent":"00-11111111111111111111111111111111-2222222222222222-01"'
cases = {
    "an event as JSON": [orjson.dumps({"id": "1", "data": {"title": "x"}, "traceparent": T}), T],
    "an event as JSON with spaces": [json.dumps({"id": "1", "traceparent": T}, indent=1).encode(), T],
    "an event that is not recorded": [orjson.dumps({"traceparent": T[:-2] + "00"}), T[:-2] + "00"],
    "half of an event, which is no JSON": [orjson.dumps({"traceparent": T, "data": 1})[:-5], T],
    "an event with bytes that are no text": [b'\\xff\\xfe{"traceparent": "' + T.encode() + b'"', T],
    "a post whose title imitates the field": [orjson.dumps({"data": {"title": fake}, "traceparent": T}), T],
    "such a post without a context": [orjson.dumps({"data": {"title": fake}}), ""],
    "an event without a context": [orjson.dumps({"id": "1", "traceparent": ""}), ""],
    "bytes that are no text": [b"\\xff\\xfe\\x00", ""], "an empty record": [b"", ""], "no value": [None, ""],
}
found = {}
for name, (value, wanted) in cases.items():
    try:
        found[name] = [traceparent_in(value), wanted]
    except Exception as error:
        found[name] = [f"{type(error).__name__}: {error}", wanted]
say(json.dumps(found))
"""


@check(points=2)
def test_context_in_an_event(lab: Exercise) -> None:
    """The traceparent of an event is found in its bytes, also if the event cannot be decoded"""
    found = run(lab, BYTES, PROPAGATION, what="traceparent_in() to return")
    for name, (text, wanted) in found.items():
        require(
            text == wanted,
            f"called traceparent_in() with {name}",
            expected=wanted or "an empty text",
            saw=repr(text),
            means="The producer calls it for every record, dead letters included. So it must not raise for a"
            " record that is no event, and it must find the field of the envelope only, as an ordinary text."
            ' `_IN_EVENT.search(event or b"")` does both; `found[1].decode()` is the text.',
        )


CONTINUED = """
from civildiy.chassis.observability.spans import start_process_span, start_publish_span

T, S = "0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7"
found = {}
def tried(where):
    starts = {"start_publish_span": start_publish_span, "start_process_span": start_process_span}
    for name, start in starts.items():
        for text in (f"00-{T}-{S}-01", f"00-{T}-{S}-03", f"00-{T}-{S}-00", "", "nonsense", f"{T}-01"):
            try:
                span = start("posts-events", text, "key")
                early = len(recorder.get_finished_spans())
                none = span is None
                if span is not None:
                    span.end()
                found[f"{name} {where} {text}"] = [none, early, recorded()]
            except Exception as error:
                found[f"{name} {where} {text}"] = [f"{type(error).__name__}: {error}", 0, []]
tried("outside of a request, with")
with tracer.start_as_current_span("another request"):
    tried("while another span was current, with")
say(json.dumps(found))
"""


@check(points=3)
def test_continued_trace(lab: Exercise) -> None:
    """The spans of publishing and processing continue the event's trace, and no other"""
    found = run(lab, CONTINUED, SPANS, what="start_publish_span() to return")
    for call, (none, early, spans) in found.items():
        name, _, rest = call.partition(" ")
        where, _, text = rest.partition(" with ")
        did = f'called {name}() {where} the traceparent "{text}"'.replace(", the", ", with the")
        require(
            isinstance(none, bool),
            did,
            expected="a span or None",
            saw=none,
            means="An old event has no context, and it must be processed all the same. `_continued` returns"
            " None for it.",
        )
        if text not in (f"00-{T}-{S}-01", f"00-{T}-{S}-03"):
            require(
                none and not spans,
                did,
                expected="None",
                saw=f"a span, in the trace {spans[0]['trace']}" if spans else "a span that is not recorded",
                means="The last two digits are the decision of the unit where the trace began: 00 means that"
                " it is not recorded. And a text that is no traceparent names no trace. `_continued` must not"
                " begin one of its own.",
            )
            continue
        require(
            not none and len(spans) == 1,
            did,
            expected="a span, which the recorder has when the caller has ended it",
            saw="None" if none else f"{len(spans)} recorded spans",
            means=f"The flags {text[-2:]} tell that the trace is recorded, so this unit's part of it is, too."
            " `trace_flags.sampled` of the context reads them. `_continued` in spans.py starts the span with"
            " `_tracer.start_span(name, context, kind, attributes)`.",
        )
        span = spans[0]
        require(
            early == 0,
            did,
            expected="a span that is still open",
            saw="a span that has ended",
            means="The caller ends it: the producer when the broker has answered, the projector when the"
            " event is applied.",
        )
        require(
            (span["trace"], span["parent"]) == (T, S),
            did,
            expected=f"the trace {T}, and the parent {S}",
            saw=f"the trace {span['trace']}, and the parent {span['parent'] or 'none'}",
            means="One post is one trace. In the relay no span is current, or one that has nothing to do with"
            " the event, so the context has to come from the text: `context_of(traceparent)`.",
        )
        kind, verb = ("producer", "send") if "publish" in name else ("consumer", "process")
        key = span["attributes"].get("messaging.kafka.message.key")
        require(
            (span["kind"], span["name"], key) == (kind, f"{verb} posts-events", "key"),
            did,
            expected=f"{verb} posts-events, of the kind {kind}, with the attributes of the call",
            saw=f"{span['name']}, of the kind {span['kind']}, with {span['attributes']}",
            means="`_continued` passes its four arguments on to the span.",
        )
