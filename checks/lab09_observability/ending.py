"""Step 2: how a span ends, and what it tells about an error."""

from typing import Any

from grading.outcome import require
from grading.plugin import check

from lab.course.exercise import Exercise
from lab09_observability.recorder import SPANS, run

ENDING = """
from civildiy.chassis.observability.spans import failed, store_span
import time

class Refused(Exception):
    pass

def tried(error):
    with tracer.start_as_current_span("request"):
        came = None
        try:
            with store_span("redis", "GET"):
                time.sleep(0.02)
                if error is not None:
                    raise error
        except BaseException as raised:
            came = raised
        spans = recorded()
    recorded()
    return [spans, came is error, repr(came)]

found = {
    "returns": tried(None), "raises Refused": tried(Refused("password=secret")),
    "raises TimeoutError": tried(TimeoutError("secret")),
    "is cancelled": tried(asyncio.CancelledError("secret")),
    "is ended by KeyboardInterrupt": tried(KeyboardInterrupt("secret")),
}
failed(None, Refused("x"))
span = tracer.start_span("alone")
failed(span, Refused("secret"))
still = span.is_recording()
span.end()
say(json.dumps([found, recorded(), still]))
"""
ERRORS = {
    "raises Refused": "Refused", "raises TimeoutError": "TimeoutError", "is cancelled": "CancelledError",
    "is ended by KeyboardInterrupt": "KeyboardInterrupt",
}  # fmt: skip


@check(points=3)
def test_span_ends_with_its_block(lab: Exercise) -> None:
    """The span ends when its block does, also by an error, which marks it as failed and passes on"""
    found, alone, still = run(lab, ENDING, SPANS, what="store_span() to run blocks that fail")
    for how, (spans, same, came) in found.items():
        did = f'ran a block of 20 ms that {how}, in `with store_span("redis", "GET")`'
        require(
            same,
            did,
            expected=f"the error {ERRORS[how]} of the block" if how in ERRORS else "no error",
            saw=came,
            means="An error belongs to the caller: mark the span, and raise it again with `raise`.",
        )
        require(
            len(spans) == 1,
            did,
            expected="one span that has ended, as soon as the block has",
            saw=f"{len(spans)} ended spans",
            means="A span is sent when it ends. One that stays open is never seen, and its memory is never"
            " freed. End it in `finally`, once: an error of any kind must not skip that, and CancelledError"
            " and KeyboardInterrupt are no `Exception`.",
        )
        require(
            spans[0]["ms"] >= 15,
            did,
            expected="a span of at least 20 ms",
            saw=f"{spans[0]['ms']:.1f} ms",
            means="The span begins before the block and ends after it: `yield` stands between the two.",
        )
        _status(did, spans[0], ERRORS.get(how))
    did = "called failed() for a span and an error of the class Refused"
    require(
        still and len(alone) == 1,
        did,
        expected="that the span is still open",
        saw="a span that has ended",
        means="`failed` only marks a span. Its caller ends it.",
    )
    _status(did, alone[0], "Refused")


def _status(did: str, span: dict[str, Any], error: str | None) -> None:
    status = "ERROR" if error else "UNSET, or OK"
    require(
        (span["status"] == "ERROR") == bool(error),
        did,
        expected=f"the status {status}",
        saw=span["status"],
        means="Tools find failed calls by the status ERROR. `failed` sets it for each error, and for nothing"
        " else: span.set_status(Status(StatusCode.ERROR)).",
    )
    kind = str(span["attributes"].get("error.type", ""))
    require(
        kind.rpartition(".")[2] == (error or ""),
        did,
        expected=f"`error.type` {error!r}" if error else "no attribute `error.type`",
        saw=repr(kind),
        means="The class of the error tells a timeout from a refused call. It is"
        " `type(error).__qualname__`, and `failed` stores it in the attribute `error.type`.",
    )
    told = f"{span['said']} {span['attributes']}"
    require(
        "secret" not in told,
        did,
        expected="nothing of the error's text in the span",
        saw=told.strip(),
        means="The text of a driver's error may hold values of a user, and everybody who may read traces"
        " would read them. Keep the class only: no `record_exception`, and no description in the status.",
    )
