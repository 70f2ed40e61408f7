"""Many requests: those that are limited, and those that several instances share."""

import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from random import Random

import httpx
import pytest
from grading import checked_http
from grading.outcome import require
from grading.people import said
from grading.plugin import check
from grading.system import backend, eventually, second_instance

from lab.course.exercise import Exercise
from lab.probes.instances import answered, deregistered_afterwards
from lab03_gateway.posts import GATEWAY, POSTS
from lab03_gateway.probe import live_probe

LIMITED = (
    "A route without `limit` was limited. `rule_set` must make the middleware rateLimit only for routes that"
    " have one."
)
UNREACHED = (
    "A route without `limit` does not lead to its service. Either its keys are not in Consul KV, where"
    " `publish` writes them (step 4), or `rule_set` gives it a chain of middlewares or a service that does"
    " not exist."
)


@check(points=3)
def test_limit_where_it_belongs(lab: Exercise, rng: Random) -> None:
    """A limited route answers 429 with Retry-After; other routes and other clients are not limited"""
    with live_probe(lab, rng) as (service, _, http):
        name = service.name
        answers = [http.get(f"/{name}/login") for _ in range(12)]
        limited = [answer for answer in answers if answer.status_code == 429]
        require(
            limited and limited[-1].headers.get("retry-after"),
            "12 requests at once to a route with the limit (1 per second, burst 3)",
            expected="some 429 with Retry-After",
            saw=[answer.status_code for answer in answers],
            means="12 requests passed at once. `rule_set` must write `rateLimit/average` and"
            " `rateLimit/burst` from"
            " `limit`, and put this middleware into the chain of the route.",
        )
        spoofed = [
            http.get(f"/{name}/login", headers={"X-Forwarded-For": f"10.0.0.{n}", "X-Real-IP": f"10.0.0.{n}"})
            for n in range(12)
        ]
        require(
            429 in {answer.status_code for answer in spoofed},
            "12 more requests, each with another X-Forwarded-For and X-Real-IP",
            expected="still some 429",
            saw=[answer.status_code for answer in spoofed],
            means="The limit counts by a header that each client can write. It must count by the client's"
            " address.",
        )
        burst = [http.get(f"/{name}/bursty").status_code for _ in range(20)]
        require(
            set(burst) == {200},
            "20 requests at once to a route with the limit (1 per second, burst 25)",
            expected="200 for all of them: the burst allows 25",
            saw=burst,
            means="`limit` is (average, burst). Either the two are exchanged, or this route uses the"
            " middleware of another route: each route with a limit needs one of its own, `<router>-limit`.",
        )
        guarded = [http.get(f"/{name}/guarded").status_code for _ in range(12)]
        require(
            401 in guarded and 429 in guarded,
            "12 requests without a token to a route with the same limit that needs a user",
            expected="401, and 429 as soon as the limit is reached",
            saw=guarded,
            means="The limit must be the first in the chain, before forwardAuth: else each guess still"
            " costs auth its work.",
        )
        free = {http.get(f"/{name}/open").status_code for _ in range(150)}
        free |= {http.get(POSTS, params={"limit": 1}).status_code for _ in range(150)}
        means = LIMITED if 429 in free else UNREACHED
        require(
            free == {200},
            "150 requests each to routes without a limit",
            expected="200",
            saw=free,
            means=means,
        )
        gateway, address = backend.neighbour()
        other = httpx.HTTPTransport(local_address=address, verify=checked_http.NO_TLS)
        with checked_http.client(transport=other, base_url=gateway) as neighbour:
            answer = neighbour.get(f"/{name}/login")
        require(
            answer.status_code == 200,
            "the same route from another address",
            expected="200",
            saw=said(answer),
            means="The limit must count for each client address by itself.",
        )


@check(points=3)
@pytest.mark.disturbs
def test_two_instances_share_and_one_may_die() -> None:
    """Two instances share the load; killing one loses at most the requests in flight"""
    workers, each = 4, 60
    # Without the retry, about half of all reads fail, because every other one goes to the dead instance. With
    # it, those in flight are lost, and those that a dying process still takes: more on a busy machine.
    most = workers * each // 10
    with deregistered_afterwards(backend, "posts-2"), second_instance("posts") as second:
        eventually(
            lambda: ask(20)["200"] and answered(backend, second, POSTS) >= 5,
            within=15,
            what="a second instance of posts to get a share of the requests",
            means="The gateway sends all requests to one instance. `rule_set` must write"
            " `routers/…/service` = posts@consulcatalog; then Traefik takes the instances from Consul.",
        )
        with ThreadPoolExecutor(workers) as pool:
            running = [pool.submit(ask, each) for _ in range(workers)]
            backend.signal(second, signal.SIGKILL)
            seen = sum((future.result() for future in running), Counter[str]())
        lost = Counter({what: number for what, number in seen.items() if what != "200"})
        require(
            lost.total() <= most,
            f"{each * workers} reads by {workers} clients while one of two instances was killed",
            expected=f"at most {most} failed: those in flight, and those that met it dying",
            saw=f"{lost.total()} failed: {dict(lost)}",
            means="Until Consul notices the death, the gateway has to try the next instance."
            " `rule_set` must put the"
            " middleware `again` (retry) into the chain of each router.",
        )
    eventually(lambda: ask(10)["200"] == 10, within=10, what="all reads to succeed with one instance")


def ask(times: int) -> Counter[str]:
    """What so many reads were answered, by status or error."""
    seen: Counter[str] = Counter()
    with checked_http.client(base_url=GATEWAY, timeout=10) as http:
        for _ in range(times):
            # An answer that broke off in the middle is one that was lost, as good as a 502.
            try:
                seen[str(http.get(POSTS, params={"limit": 1}).status_code)] += 1
            except httpx.HTTPError as error:
                seen[type(error).__name__] += 1
    return seen
