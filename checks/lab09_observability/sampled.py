"""Step 4: which traces are recorded."""

import json

from grading.learner_process import beside
from grading.outcome import require
from grading.people import Person
from grading.plugin import check
from grading.stack import ENDPOINTS

from lab.course.exercise import Exercise
from lab.traces.jaeger import Jaeger
from lab09_observability.trees import RELAY, post_in_a_trace, tree_with

MODULE = "civildiy.chassis.observability.sampling"
PROGRAM = """
import json, random
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from civildiy.chassis.observability.sampling import sampler

chance = random.Random(7)
ids = [chance.getrandbits(128) | 1 for _ in range(4000)]

def decide(made, trace_id, parent=None):
    context = None
    if parent is not None:
        remote, flags = parent
        span = NonRecordingSpan(SpanContext(trace_id, 1, remote, TraceFlags(flags)))
        context = trace.set_span_in_context(span)
    return made.should_sample(context, trace_id, "GET /").decision.is_sampled()

found = {"follows": [], "shares": [], "alike": []}
for ratio in (0.0, 0.1, 0.5, 1.0):
    made, again = sampler(ratio), sampler(ratio)
    for remote in (True, False):
        for flags in (0, 1):
            same = sum(decide(made, one, (remote, flags)) == bool(flags) for one in ids[:500])
            found["follows"].append([ratio, remote, flags, same])
    taken = [decide(made, one) for one in ids]
    found["shares"].append([ratio, sum(taken) / len(ids)])
    found["alike"].append([ratio, taken == [decide(again, one) for one in ids]])
say(json.dumps(found))
"""


@check(points=3)
def test_parent_decides(lab: Exercise) -> None:
    """A span with a parent is recorded exactly if its parent is; a share of all new traces is"""
    with beside(lab, "posts", PROGRAM, only=(MODULE,)) as module:
        found = json.loads(module.hear("your sampler to decide", within=20))
    for ratio, remote, flags, same in found["follows"]:
        state = "recorded" if flags else "not recorded"
        where = "another service" if remote else "this process"
        require(
            same == 500,
            f"asked sampler({ratio:g}) about 500 spans whose parent in {where} is {state}",
            expected=f"all of them {state}",
            saw=f"{500 - same} the other way",
            means="One trace is either recorded by all its units or by none. If a unit decides by its own"
            " ratio, or ignores the flag, traces have holes, and requests are recorded that nobody asked for."
            " `ParentBased(root)` follows the parent, and asks `root` only where there is none.",
        )
    for ratio, share in found["shares"]:
        require(
            abs(share - ratio) <= (0.03 if 0 < ratio < 1 else 0),
            f"asked sampler({ratio:g}) about 4,000 spans that begin a trace",
            expected=f"about {ratio:.0%} recorded",
            saw=f"{share:.1%}",
            means="Where no parent has decided, `ratio` is the share to record: 0 is none, 1 is all.",
        )
    for ratio, same in found["alike"]:
        require(
            same,
            f"asked two samplers, both made by sampler({ratio:g}), about the same 4,000 trace ids",
            expected="the same decision for each id",
            saw="different decisions",
            means="Two units must decide alike about one trace, and so must one unit twice. Chance does not;"
            " `TraceIdRatioBased(ratio)` decides by the trace id.",
        )


@check(points=2)
def test_decision_holds_in_all_units(ada: Person) -> None:
    """A request that is not recorded leaves no span in any unit; one that is, leaves spans in all"""
    silent = post_in_a_trace(ada, recorded=False)
    loud = post_in_a_trace(ada)
    later = [
        ("posts", "POST /api/posts"),
        (RELAY, "send posts-events"),
        ("feed-projector", "process posts-events"),
    ]
    tree_with(
        loud,
        later,
        "The client's traceparent ends with 01, so each unit records its part, whatever its own ratio is."
        " Look at `sampler`; the spans also pass `in_background` on their way to the collector.",
    )
    # Spans arrive in their order, so those of the request before would be there by now.
    tree = Jaeger(ENDPOINTS["traces"]).trace(silent)
    units = sorted({span.unit for span in tree.spans}) if tree else []
    require(
        not units,
        "wrote a post whose traceparent ends with 00, then one with 01, and waited for the second trace",
        expected="no span of the first",
        saw=f"spans of {', '.join(units)}",
        means="00 means that the trace is not recorded. A unit that records it all the same draws a tree"
        " without its beginning, and spends the time and memory that sampling saves.",
    )
