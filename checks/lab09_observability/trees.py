"""Steps 2 to 4 on the running system: what a post leaves in Jaeger and in the logs of all units."""

import secrets
from collections.abc import Collection

import pytest
from grading.outcome import require
from grading.people import Person, said
from grading.plugin import check
from grading.stack import ENDPOINTS, backend
from grading.system import eventually, paused

from lab.traces.jaeger import Jaeger, Span, Trace
from lab.traces.lines import lines_of

RELAY = "posts-relay"
SPANS_ARRIVE = 15.0
"""Each unit sends its spans every second, the gateway every five."""


def post_in_a_trace(person: Person, *, recorded: bool = True) -> str:
    """Write a post in a trace of its own; return the trace's id."""
    trace = secrets.token_hex(16)
    header = {"traceparent": f"00-{trace}-{secrets.token_hex(8)}-0{int(recorded)}"}
    answer = person.http.post("/api/posts", json={"title": "t", "content": "c"}, headers=header)
    means = "The post must be stored, whatever happens to its spans. `./lab logs posts` shows the error."
    require(answer.status_code == 201, "POST /api/posts", expected="201", saw=said(answer), means=means)
    return trace


def tree_with(trace: str, wanted: Collection[tuple[str, str]], means: str) -> Trace:
    """Wait until the trace has spans of these units with these names, and return it. Raises Wrong."""
    jaeger = Jaeger(ENDPOINTS["traces"])

    def found() -> Trace | None:
        tree = jaeger.trace(trace)
        there = {(span.unit, span.name) for span in tree.spans} if tree else set()
        return tree if set(wanted) <= there else None

    def seen() -> str:
        tree = jaeger.trace(trace)
        return ", ".join(f"{s.unit}: {s.name}" for s in tree.spans) if tree else "no span of this trace"

    names = ", ".join(f"`{name}` of {unit}" for unit, name in wanted)
    return eventually(
        found, within=SPANS_ARRIVE, what=f"{names} in Jaeger, in the trace of one post", means=means, saw=seen
    )


def above(tree: Trace, span: Span) -> list[Span]:
    """Return the ancestors of a span that the collector has, the nearest one first."""
    by_id = {other.id: other for other in tree.spans}
    found: list[Span] = []
    while (parent := by_id.get((found[-1] if found else span).parent)) and parent not in found:
        found.append(parent)
    return found


@check(points=2)
def test_store_call_in_the_trace_of_a_post(ada: Person) -> None:
    """A post's trace shows the call to MongoDB as a part of its request"""
    insert = ("posts", "insert posts")
    tree = tree_with(
        post_in_a_trace(ada),
        [insert, ("posts", "POST /api/posts")],
        "MongoDB's driver calls your `start_store_span` when it sends a command, and ends the span when"
        " MongoDB has answered. A span that is never ended never arrives. Look at spans.py.",
    )
    span = next(span for span in tree.spans if (span.unit, span.name) == insert)
    over = [f"{other.unit}: {other.name}" for other in above(tree, span)]
    require(
        "posts: POST /api/posts" in over,
        "wrote a post, and followed the parents of its span `insert posts` in Jaeger",
        expected="the span `POST /api/posts` of posts among them",
        saw=over or "no parent in this trace",
        means="The parent of a call is the current span: that of the request. Look at `start_store_span`.",
    )


@check(points=3)
@pytest.mark.disturbs
def test_one_tree_after_an_outage(ada: Person) -> None:
    """A post that had to wait is one tree, from the request to the feed, with log lines of each unit"""
    with paused(RELAY):
        trace = post_in_a_trace(ada)
    request = ("posts", "POST /api/posts")
    later = [(RELAY, "send posts-events"), ("feed-projector", "process posts-events")]
    tree = tree_with(
        trace,
        [request, *later],
        "The event's traceparent is the only thing that joins these units. posts writes it by"
        " `current_traceparent`, and the relay and the projector read it by `traceparent_in` and"
        " `context_of`, and start their spans by `_continued`.",
    )
    for unit, name in later:
        span = next(span for span in tree.spans if (span.unit, span.name) == (unit, name))
        over = [f"{other.unit}: {other.name}" for other in above(tree, span)]
        require(
            "posts: POST /api/posts" in over,
            f"paused the relay, wrote a post, let the relay go on, and followed the parents of `{name}`",
            expected="the span `POST /api/posts` of posts among them",
            saw=over or "no parent in this trace",
            means="The parent must be a span that somebody has recorded: the one that was current when the"
            " event was written. Look at `current_traceparent` and `_continued`.",
        )
    units = {"posts", RELAY, "feed-projector"}
    eventually(
        lambda: units <= {unit for unit, _ in lines_of(backend, trace)},
        within=5,
        what=f"log lines with this trace's id in the logs of {', '.join(sorted(units))}",
        means="Each unit writes a line for each recorded request or event. `add_trace_ids` adds the trace's"
        " id to it, so `./lab logs --trace ID` finds it.",
        saw=lambda: sorted({unit for unit, _ in lines_of(backend, trace)}) or "no line in any unit",
    )
