"""Step 1: what is counted, under which labels, and how long it took."""

from typing import Any

from grading.outcome import require, wrong
from grading.plugin import check

from lab.course.exercise import Exercise
from lab09_observability.middleware import run, total

BOUNDED = """
async def main():
    for number in range(60):
        await call(answer(route="/api/posts/{post_id}"), path=f"/api/posts/{number}?user={number}")
        await call(answer(404), path=f"/wp-admin/{number}")
        await call(answer(501), method=f"BREW{number}", path="/")
    await call(answer(route="/api/posts"), method="POST", path="/api/posts")
    async def mounted(scope, receive, send):
        scope["route"] = object()
        await answer()(scope, receive, send)
    await call(mounted)

asyncio.run(main())
say(json.dumps(samples()))
"""
MOST_SERIES = 5


@check(points=3)
def test_labels_are_bounded(lab: Exercise) -> None:
    """The labels take few values, whatever paths and methods clients send"""
    did = "sent requests with 120 different paths and 60 unknown methods through your middleware"
    samples = run(lab, BOUNDED)
    counters = [labels for name, labels, _ in samples if name == "http_requests_total"]
    require(
        counters,
        did,
        expected="samples of the counter `http_requests_total`",
        saw=sorted({name for name, _, _ in samples}) or "no metric",
        means="`request_metrics` has to create the counter with this name in `registry`, and `__call__`"
        " counts with `self._requests`.",
    )
    _labels(did, counters, {"method", "route", "status"}, "http_requests_total")
    histogram = [labels for name, labels, _ in samples if name == "http_request_seconds_count"]
    _labels(did, histogram, {"method", "route"}, "http_request_seconds")
    found = sorted({(labels["method"], labels["route"]) for labels in counters})
    expected = {
        ("GET", "/api/posts/{post_id}"), ("GET", "none"), ("POST", "/api/posts"), ("other", "none"),
    }  # fmt: skip
    if len(found) > MOST_SERIES:
        label = "method" if len({method for method, _ in found}) > MOST_SERIES else "route"
        cause = (
            'A client may send any method. Take `scope["method"]` only if it is in METHODS, else "other".'
            if label == "method"
            else 'The label is the template of the route, `scope["route"].path`, and never the path itself.'
        )
        wrong(
            did,
            expected=f"at most {MOST_SERIES} pairs of method and route",
            saw=f"{len(found)} pairs, such as {found[:3]}",
            means=f"The label `{label}` takes values that clients invent, and each new value is a new time"
            f" series for ever. {cause}",
        )
    none = total(samples, "http_requests_total", method="GET", route="none")
    require(
        none == 61 or set(found) != expected,
        did,
        expected='61 GET requests with the route "none": 60 without a route, and one whose route has no path',
        saw=f"{none:g}",
        means="A mounted application sets a route without `path`. An AttributeError in the middleware would"
        ' turn a good answer into an error 500: getattr(…, "path", "none").',
    )
    require(
        set(found) == expected,
        did,
        expected=sorted(expected),
        saw=found,
        means="The route is the template that the router stores in `scope` during the call, so read it after"
        ' the call. Without a route, or if it has no `path`, it is "none". A method that is not in METHODS is'
        ' "other", all others keep their name.',
    )


def _labels(did: str, found: list[dict[str, str]], expected: set[str], metric: str) -> None:
    names = sorted({name for labels in found for name in labels} - {"le"})
    require(
        set(names) == expected,
        did,
        expected=f"`{metric}` with the labels {sorted(expected)}",
        saw=f"the labels {names}" if found else "no such metric",
        means="The dashboards and the objectives read these labels. A label with the id of a user, of a post"
        " or of a request would make a time series for each. Look at `request_metrics` in metrics.py.",
    )


ENDS = """
class Boom(Exception):
    pass

async def raises(scope, receive, send):
    raise Boom

async def raises_late(scope, receive, send):
    await answer(201, chunks=())(scope, receive, send)
    raise Boom

async def cancelled(scope, receive, send):
    raise asyncio.CancelledError

async def silent(scope, receive, send):
    pass

async def gone():
    async def send(message):
        raise OSError("the client has gone")
    try:
        await middleware(scope() | {"act": answer(200)}, receive, send)
    except BaseException as error:
        return type(error).__name__

async def main():
    ends = {}
    for name, act in {
        "an answer": answer(200), "an error of the application": raises,
        "an error after the status 201": raises_late, "a cancellation": cancelled, "no answer": silent,
    }.items():
        before = {str(s[:2]): s[2] for s in samples()}
        outcome = await call(act)
        ends[name] = [outcome, [
            [s[0], s[1], s[2] - before.get(str(s[:2]), 0)] for s in samples()
            if s[2] != before.get(str(s[:2]), 0)
        ]]
    before = {str(s[:2]): s[2] for s in samples()}
    outcome = await gone()
    ends["a client that has gone"] = [outcome, [
        [s[0], s[1], s[2] - before.get(str(s[:2]), 0)] for s in samples()
        if s[2] != before.get(str(s[:2]), 0)
    ]]
    for other in ("lifespan", "websocket"):
        try:
            await middleware({"type": other, "act": answer()}, receive, receive_message)
            ends[other] = ["returned", []]
        except BaseException as error:
            ends[other] = [f"{type(error).__name__}: {error}", []]
    ends["counted"] = ["", samples()]
    say(json.dumps(ends))

async def receive_message(message):
    pass

asyncio.run(main())
"""
STATUS = {
    "an answer": "200", "an error of the application": "500", "an error after the status 201": "201",
    "a cancellation": "500", "no answer": "500", "a client that has gone": "200",
}  # fmt: skip
RAISED = {
    "an error of the application": "Boom", "an error after the status 201": "Boom",
    "a cancellation": "CancelledError", "a client that has gone": "OSError",
}  # fmt: skip


@check(points=3)
def test_each_end_is_counted(lab: Exercise) -> None:
    """Each request is counted once, also one that fails or is cancelled, and its error passes on"""
    found = run(lab, ENDS)
    for name, status in STATUS.items():
        outcome, grown = found[name]
        did = f"let a request end with {name}"
        require(
            outcome == RAISED[name] if name in RAISED else isinstance(outcome, list),
            did,
            expected=f"the error {RAISED[name]} from your middleware" if name in RAISED else "no error",
            saw=outcome if isinstance(outcome, str) else f"no error, and the messages {outcome}",
            means="A middleware that measures changes nothing: every error of the application passes on, with"
            " its own type.",
        )
        once = total(grown, "http_requests_total")
        timed = total(grown, "http_request_seconds_count")
        require(
            (once, timed) == (1, 1),
            did,
            expected="the counter and the histogram to grow by 1",
            saw=f"the counter grew by {once:g}, and the histogram's count by {timed:g}",
            means="A request that is not counted is missing in the share of errors, and one that is counted"
            " twice changes it as well. Count in `finally`, so that it happens once, however the call ends:"
            " CancelledError is no `Exception`.",
        )
        require(
            total(grown, "http_requests_total", status=status) == 1,
            did,
            expected=f"the status {status}",
            saw=[labels.get("status") for sample, labels, _ in grown if sample == "http_requests_total"],
            means="The status is that of the first message, with the type http.response.start. If a request"
            " ends without one, the server answers 500 in its place. An error after that message does not"
            " change what the client has received.",
        )
    for kind in ("lifespan", "websocket"):
        outcome = found[kind][0]
        require(
            outcome == "returned",
            f"called your middleware with a scope of the type {kind}",
            expected="that the application gets it",
            saw=outcome,
            means="The server starts and ends a service with such a scope. It has no method and no path, so"
            " it goes to the application at once, and it is not counted.",
        )
    counted = total(found["counted"][1], "http_requests_total")
    require(
        counted == len(STATUS),
        f"let {len(STATUS)} requests end, and called your middleware with two other types of scope",
        expected=f"{len(STATUS)} counted requests",
        saw=f"{counted:g}",
        means="Only a scope of the type http is a request.",
    )


def pairs(samples: list[Any], name: str, **labels: str) -> dict[str, float]:
    """Return the buckets of a histogram: upper bound to count."""
    wanted = labels.items()
    return {s[1]["le"]: s[2] for s in samples if s[0] == name and wanted <= s[1].items()}
