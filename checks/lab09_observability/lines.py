"""Step 3: the ids of the trace in each log line."""

from grading.outcome import require
from grading.plugin import check

from lab.course.exercise import Exercise
from lab09_observability.recorder import PROPAGATION, run

PROGRAM = """
from civildiy.chassis.observability.propagation import add_trace_ids

def tried():
    event = {"event": "stored", "post": 7}
    try:
        made = add_trace_ids(None, "info", event)
    except Exception as error:
        return [f"{type(error).__name__}: {error}", {}]
    return [made is event, made if isinstance(made, dict) else repr(made)]

found = {"outside of a trace": [*tried(), {}]}
for flags, where in ((1, "in a recorded trace"), (0, "in a trace that is not recorded")):
    with trace.use_span(foreign(flags, 0xabc, 0xd)):
        found[where] = [*tried(), {"trace_id": f"{0xabc:032x}", "span_id": f"{0xd:016x}"}]
say(json.dumps(found))
"""


@check(points=2)
def test_ids_in_each_log_line(lab: Exercise) -> None:
    """A log line within a trace has the ids of the trace and of the span, and no other line has"""
    found = run(lab, PROGRAM, PROPAGATION, what="add_trace_ids() to return")
    for where, (same, event, ids) in found.items():
        did = f"called add_trace_ids() {where}, for a line with the fields event and post"
        require(
            same is True,
            did,
            expected="the dictionary that it got, with more fields or without",
            saw=event if same is False else same,
            means="structlog goes on with what a processor returns. If it returns None, the line is lost, and"
            " a processor that raises loses it as well. End with `return event`.",
        )
        given = {name: event.get(name) for name in ("trace_id", "span_id") if name in event}
        require(
            given == ids,
            did,
            expected=ids or "neither `trace_id` nor `span_id`",
            saw=given or "neither",
            means="Lines of one request are found by the id in the same form as in a traceparent:"
            " hexadecimal, with 32 and 16 digits, leading zeros included. Outside of a trace there is no id:"
            " a line with zeros would join lines that have nothing to do with each other.",
        )
        rest = {name: value for name, value in event.items() if name not in ("trace_id", "span_id")}
        require(
            rest == {"event": "stored", "post": 7},
            did,
            expected="the other fields unchanged",
            saw=rest,
            means="The processor adds two fields, and leaves all others alone.",
        )
