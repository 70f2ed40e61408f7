"""Step 2: the span around a call to a store."""

from typing import Any

from grading.outcome import require
from grading.plugin import check

from lab.course.exercise import Exercise
from lab09_observability.recorder import SPANS, run

WHERE = "Look at `start_store_span` in spans.py."
STARTED = """
from civildiy.chassis.observability.spans import start_store_span

with tracer.start_as_current_span("request") as request:
    inner = start_store_span("mongodb", "insert", "posts")
    still_current = trace.get_current_span() is request
    other = tracer.start_span("other")
    words = [start_store_span("redis", "EVAL_RO"), start_store_span("redis", "EVALSHA", within=other)]
    unended = len(recorder.get_finished_spans())
    for span in (inner, *words):
        if span is not None:
            span.end()
    other.end()
say(json.dumps([recorded(), still_current, unended, [s is None for s in (inner, *words)]]))
"""


@check(points=3)
def test_span_of_a_call(lab: Exercise) -> None:
    """The span of a call has its name, kind, attributes and parent, and the caller ends it"""
    spans, still_current, unended, none = run(lab, STARTED, SPANS, what="start_store_span() to return")
    did = "called start_store_span() three times within a recorded request, and ended what it returned"
    require(
        none == [False, False, False] and len(spans) == 5,
        did,
        expected="three spans, which the recorder has when the caller has ended them",
        saw=f"None for {sum(none)} of them, and {len(spans) - 2} recorded spans",
        means="Within a recorded request each call has a span. `start_store_span` returns the one that"
        f" `_tracer.start_span` starts. {WHERE}",
    )
    require(
        unended == 0,
        did,
        expected="no span to end before the caller ends it",
        saw=f"{unended} ended spans",
        means="The call is not over when `start_store_span` returns: it must not end the span itself.",
    )
    found = {span["name"]: span for span in spans}
    expected = {"insert posts": ("mongodb", "insert", "posts"), "EVAL_RO": ("redis", "EVAL_RO", None),
                "EVALSHA": ("redis", "EVALSHA", None)}  # fmt: skip
    require(
        expected.keys() <= found.keys(),
        did,
        expected=f"the names {', '.join(expected)}",
        saw=[span["name"] for span in spans],
        means="The name is the operation, and the target behind a space if there is one. A name with a value"
        f" of a client in it could not be counted or searched. {WHERE}",
    )
    parents = {"insert posts": "request", "EVAL_RO": "request", "EVALSHA": "other"}
    for name, (system, operation, target) in expected.items():
        span = found[name]
        wanted = {"db.system.name": system, "db.operation.name": operation} | (
            {"db.collection.name": target} if target else {}
        )
        require(
            span["attributes"] == wanted,
            did,
            expected=f"the attributes {wanted} for {name!r}",
            saw=span["attributes"],
            means="Tools read these names of OpenTelemetry's conventions. An attribute that has no value is"
            f" left out. {WHERE}",
        )
        require(
            span["kind"] == "client",
            did,
            expected="the kind client",
            saw=span["kind"],
            means=f"The kind tells that this unit calls another one: SpanKind.CLIENT. {WHERE}",
        )
        parent = found[parents[name]]
        require(
            (span["trace"], span["parent"]) == (parent["trace"], parent["id"]),
            did,
            expected=f"{name!r} as a child of the span {parents[name]!r}",
            saw=_place(span, found),
            means="The parent is `within` if it is given, else the current span. Without"
            f" `trace.set_span_in_context(parent)` a span begins a trace, or hangs on another span. {WHERE}",
        )
    require(
        still_current,
        "called start_store_span() within a request, and asked for the current span afterwards",
        expected="the span of the request",
        saw="another span",
        means="Some drivers end a span in another thread. So `start_store_span` only starts it, and leaves"
        " the current span as it is.",
    )


def _place(span: dict[str, Any], found: dict[str, Any]) -> str:
    if not span["parent"]:
        return "no parent: it begins a trace of its own"
    return next((f"child of {n!r}" for n, s in found.items() if s["id"] == span["parent"]), "another parent")


OUTSIDE = """
from civildiy.chassis.observability.spans import start_store_span, store_span

def tried():
    ran = []
    try:
        made = start_store_span("redis", "GET")
        if made is not None and made.is_recording():
            made.end()
        with store_span("redis", "GET"):
            ran.append(1)
        try:
            with store_span("redis", "GET"):
                raise KeyError("x")
        except KeyError:
            ran.append(2)
        return [made is None, ran, recorded()]
    except BaseException as error:
        return [f"{type(error).__name__}: {error}", ran, recorded()]

found = {"outside of any trace": tried()}
with trace.use_span(foreign(0)):
    found["in a trace that is not recorded"] = tried()
with tracer.start_as_current_span("request"):
    made = start_store_span("redis", "GET", within=foreign(0))
    found["with `within` that is not recorded"] = [made is None, [1, 2], []]
recorded()
say(json.dumps(found))
"""


@check(points=2)
def test_no_span_outside_of_a_trace(lab: Exercise) -> None:
    """Outside of a recorded trace there is no span, and the block runs all the same"""
    found = run(lab, OUTSIDE, SPANS, what="store_span() to run a block")
    for where, (none, ran, spans) in found.items():
        did = f"called start_store_span() and store_span() {where}"
        require(
            isinstance(none, bool) and ran == [1, 2],
            did,
            expected="the block to run, and its error to pass on",
            saw=none if isinstance(none, str) else f"parts {ran} of the two",
            means="`start_store_span` returns None there, and a None has no `end()`. `store_span` has to run"
            " the block with and without a span.",
        )
        require(
            none and not spans,
            did,
            expected="None, and nothing recorded",
            saw=f"{'None' if none else 'a span'}, and {len(spans)} recorded spans",
            means="A worker polls its store many times a second, and a request that is not sampled is not"
            " recorded. A span there would begin a trace that nobody asked for. Ask the parent with"
            " `is_recording()`.",
        )
