"""Step 1: durations and their buckets, concurrent requests, and the live service."""

import secrets

from grading.outcome import require
from grading.people import Person
from grading.plugin import check
from grading.stack import ENDPOINTS
from grading.system import eventually
from prometheus_client.parser import text_string_to_metric_families

from lab.course.exercise import Exercise
from lab.deadlines import slow
from lab.probes import local_http
from lab09_observability.counting import pairs
from lab09_observability.middleware import run, total

BOUNDS = ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "+Inf"]
TIMES = """
async def main():
    await call(answer(route="/slow", pause=0.12))
    alone = samples()
    here, both = [], asyncio.Event()
    async def meet():
        here.append(1)
        if len(here) == 2:
            both.set()
        await asyncio.wait([asyncio.ensure_future(both.wait())], timeout=3)
    sent = [], []
    together = []
    async def met():
        await meet()
        together.append(both.is_set())
    await asyncio.gather(
        call(answer(201, route="/a", later=0.2, chunks=(b"1", b"2"), first=met), sent[0], method="POST"),
        call(answer(404, route="/b", pause=0.1, first=met), sent[1]),
    )
    firsts = []
    async def streams(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
        firsts.append(len(got))
        await send({"type": "http.response.body", "body": b"1", "more_body": True})
        firsts.append(len(got))
    got = []
    await call(streams, got)
    say(json.dumps([alone, samples(), together, [[repr(m) for m in one] for one in sent], firsts]))

asyncio.run(main())
"""


@check(points=3)
def test_durations_in_seconds(lab: Exercise) -> None:
    """Durations are in seconds, with a bucket that ends at the objective, and requests do not mix"""
    alone, both, together, sent, firsts = run(lab, TIMES)
    did = "let one request take 0.12 s, and read the histogram `http_request_seconds`"
    bounds = pairs(alone, "http_request_seconds_bucket", route="/slow")
    require(
        bounds,
        did,
        expected='buckets for the route "/slow"',
        saw=sorted({name for name, _, _ in alone}),
        means="`request_metrics` has to create a Histogram with this name, and `__call__` observes each"
        " duration with `self._seconds`.",
    )
    require(
        list(bounds) == BOUNDS,
        did,
        expected=f"the bounds {', '.join(BOUNDS)}",
        saw=", ".join(bounds),
        means="A histogram knows nothing between two bounds. The objective for reads is 0.05 s, so one bucket"
        " has to end there. Pass `buckets=BUCKETS` when you create the histogram.",
    )
    seconds = total(alone, "http_request_seconds_sum", route="/slow")
    most = 0.3 * slow()
    require(
        0.1 <= seconds <= most,
        did,
        expected="a sum of about 0.12 for one request",
        saw=f"{seconds:g}",
        means="The metric is called seconds, so it holds seconds: the difference of two `perf_counter()`, one"
        " before the application is called and one when the call has ended.",
    )
    did = "sent two requests at once: POST /a with 201 and a body after 0.2 s, GET /b with 404 after 0.1 s"
    require(
        together == [True, True],
        did,
        expected="that the application works on both at the same time",
        saw="that one began when the other had ended",
        means="The second request had to wait for the first. Nothing in the middleware may block the event"
        " loop or hold a lock during the call.",
    )
    for method, route, status, least in (("POST", "/a", "201", 0.19), ("GET", "/b", "404", 0.09)):
        count = total(both, "http_requests_total", method=method, route=route, status=status)
        took = total(both, "http_request_seconds_sum", method=method, route=route)
        require(
            count == 1 and took >= least,
            did,
            expected=f"{method} {route} counted once with {status}, and at least {least + 0.01:g} s",
            saw=f"counted {count:g} times with {status}, {took:.3f} s",
            means="One object answers all requests, so what belongs to one request must not be stored in"
            " `self`: keep status and start time in local variables of `__call__`.",
        )
    kinds = [[message.partition("'type': '")[2].partition("'")[0] for message in one] for one in sent]
    start, body = "http.response.start", "http.response.body"
    require(
        kinds == [[start, body, body], [start, body]] and "(b'a', b'b')" in sent[0][0] and firsts == [1, 2],
        "let an application send a status with a header and two parts of a body, one after the other",
        expected="each message to reach the client unchanged, and before the application goes on",
        saw=f"{kinds}, and after each of two messages the client had {firsts}",
        means="A large answer is sent in parts. Your own `send` has to pass each message on at once:"
        " `await send(message)`.",
    )


def _samples() -> list[tuple[str, dict[str, str], float]]:
    text = local_http.get(f"{ENDPOINTS['posts']}/metrics", timeout=5 * slow()).text
    families = text_string_to_metric_families(text)
    return [(sample.name, sample.labels, sample.value) for family in families for sample in family.samples]


@check(points=2)
def test_requests_of_posts_are_counted(ada: Person) -> None:
    """Requests to posts appear in its /metrics, by method, route template and status"""
    route = "/api/posts/{post_id}"
    before = total(_samples(), "http_requests_total", method="GET", route=route, status="404")
    for _ in range(5):
        ada.http.get(f"/api/posts/{secrets.token_hex(12)}")

    def grown() -> float:
        return total(_samples(), "http_requests_total", method="GET", route=route, status="404") - before

    eventually(
        lambda: grown() >= 5,
        within=3,
        what=f'http_requests_total{{method="GET",route="{route}",status="404"}} of posts to grow by 5, after'
        " five requests for posts that do not exist",
        saw=lambda: f"it grew by {grown():g}",
        means="The middleware counts each request of the running service. Each of these five had another path"
        " and the same route. `./lab logs posts` shows errors of your code.",
    )
    require(
        grown() == 5,
        "requested five posts that do not exist, and read /metrics of posts",
        expected="the counter to grow by 5",
        saw=f"{grown():g}",
        means="Each request is counted once: call `inc()` in one place only.",
    )
