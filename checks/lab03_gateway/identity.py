"""A write needs a token, and no client can claim to be another user."""

from random import Random

import pytest
from grading import checked_http
from grading.outcome import require
from grading.people import Person, said
from grading.plugin import check
from grading.reach import environment

from lab.course.exercise import Exercise
from lab03_gateway.posts import GATEWAY, POSTS, recorded
from lab03_gateway.probe import SECRET, live_probe

PASSED = (
    "The request passed without a token. A route that needs a user needs forwardAuth in its chain, for every"
    " method."
)
NO_ROUTER = (
    "No router took this request: Traefik leaves out a router whose chain names a middleware that does not"
    " exist. `<service>-auth` must exist as soon as any of the routes needs a user."
)
SPELLINGS = ("X-User-ID", "x-user-id", "X_User_ID", "X-USER_ID", "X-User-Id")


@check(points=3)
@pytest.mark.disturbs
def test_writes_need_a_token() -> None:
    """Reads are public; a write without a token gets 401 from the gateway and never reaches posts"""
    with recorded() as posts, checked_http.client(base_url=GATEWAY, timeout=10) as http:
        path = f"{POSTS}/{'0' * 24}"
        for method, where in (("POST", POSTS), ("PUT", path), ("DELETE", path), ("PATCH", path)):
            for _ in range(4):
                answer = http.request(method, where, json={})
                require(
                    answer.status_code == 401,
                    f"{method} {where} without a token",
                    expected="401",
                    saw=said(answer),
                    means=NO_ROUTER if answer.status_code in (404, 503) else PASSED,
                )
        reached = [(method, path) for method, path, _ in posts.seen]
        means = (
            "The request reached posts. forwardAuth must be in the chain of the route, in front"
            " of the service."
        )
        require(not reached, "writes without a token", expected="nothing at posts", saw=reached, means=means)
        for _ in range(4):
            answer = http.get(POSTS, params={"limit": 1})
            means = (
                "Posts are public to read: a route with needs_user=False must have no"
                " forwardAuth in its chain."
            )
            require(answer.status_code == 200, f"GET {POSTS}", expected="200", saw=said(answer), means=means)


@check(points=3)
@pytest.mark.disturbs
def test_forged_identity_never_arrives(ada: Person) -> None:
    """X-User-ID and the gateway's proof from outside never reach the service, however spelled"""
    secret = environment("posts")["GATEWAY_SECRET"]
    with recorded() as posts:
        for spelling in SPELLINGS:
            forged = {spelling: "424242", "X-Gateway-Secret": "guess", "x_gateway_secret": "guess"}
            with checked_http.client(base_url=GATEWAY, timeout=10) as http:
                for _ in range(4):
                    http.get(POSTS, params={"limit": 1}, headers=forged)
            for _ in range(4):
                ada.http.post(POSTS, json={"title": "t", "content": "c"}, headers=forged)
        for method, path, headers in posts.seen:
            same = [(n, v) for n, v in headers if n.lower().replace("_", "-") == "x-user-id" and v]
            proof = [v for n, v in headers if n.lower().replace("_", "-") == "x-gateway-secret"]
            wanted = [str(ada.id)] if method == "POST" else []
            require(
                [v for _, v in same] == wanted and proof == [secret],
                f"{method} {path} with forged X-User-ID and X-Gateway-Secret in five spellings",
                expected=f"X-User-ID {wanted or 'absent'} and the gateway's own proof",
                saw=f"{same}, {'the proof' if proof == [secret] else 'a wrong proof'}",
                means="A header that a client can set proves nothing. `rule_set` must put the middleware"
                " that cleans on every router.",
            )
        methods = {method for method, _, _ in posts.seen}
        means = (
            "Each of two instances gets half of the requests, but none of these reached the recording one."
            " The router of the missing method does not work, for example because a middleware of its chain"
            " does not exist."
        )
        require(
            methods >= {"GET", "POST"}, "reads and writes", expected="both arrive", saw=methods, means=means
        )


@check(points=2)
@pytest.mark.disturbs
def test_every_route_is_cleaned(lab: Exercise, rng: Random) -> None:
    """Each kind of route removes a forged identity, limited and prefixed ones too"""
    forged = {"X-User-ID": "424242", "X_User_ID": "424242", "X-Gateway-Secret": "guess"}
    with live_probe(lab, rng) as (service, there, http):
        for route in ("open", "login", "bursty", "both"):
            there.seen.clear()
            http.get(f"/{service.name}/{route}", headers=forged)
            require(
                there.seen,
                f"GET /{service.name}/{route}",
                expected="the request at the service",
                saw="nothing",
                means="`rule_set` must make a router for each route.",
            )
            seen = [(n.lower().replace("_", "-"), v) for n, v in there.seen[-1][2]]
            claims = [v for n, v in seen if n == "x-user-id" and v]
            proof = [v for n, v in seen if n == "x-gateway-secret"]
            require(
                not claims and proof == [SECRET],
                f"GET /{service.name}/{route}, a public route, with a forged X-User-ID and X-Gateway-Secret",
                expected="no X-User-ID, and the gateway's own proof",
                saw=f"X-User-ID {claims or 'absent'},"
                f" {'the proof' if proof == [SECRET] else 'a wrong proof'}",
                means="The middleware that cleans is missing in the chain of this kind of route."
                " `rule_set` must put it"
                " on every router: the service believes X-User-ID because of the proof.",
            )
