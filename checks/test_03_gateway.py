"""Lab 03: what the gateway lets through to posts, and how its rules come to stand in Consul KV."""

import base64
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from random import Random

import httpx
import pytest
from grading import plain
from grading.beside import Beside, beside
from grading.outcome import require
from grading.overhear import Door, door_to_consul
from grading.people import Person, said
from grading.plugin import check
from grading.reach import Recorder, consul, environment, recorder
from grading.system import ENDPOINTS, backend, eventually, second_instance

from lab.course.exercise import Exercise
from lab.instances import answered

GATEWAY = ENDPOINTS["gateway"]
POSTS = "/api/posts"
ROOT = "traefik/http"
SPELLINGS = ("X-User-ID", "x-user-id", "X_User_ID", "X-USER_ID", "X-User-Id")


def keys_of(service: str) -> dict[str, tuple[str, int]]:
    """Value and ModifyIndex of each key of the service's routers and middlewares."""
    found = {}
    for kind in ("routers", "middlewares"):
        try:
            entries = consul("GET", f"/v1/kv/{ROOT}/{kind}/{service}-?recurse=true")
        except httpx.HTTPStatusError:
            continue  # 404: there are none
        for entry in entries:
            found[entry["Key"]] = (base64.b64decode(entry["Value"] or "").decode(), entry["ModifyIndex"])
    return found


@contextmanager
def recorded() -> Iterator[Recorder]:
    """A recording instance of posts that already gets its share of the requests."""
    with plain.client(base_url=GATEWAY, timeout=10) as http, recorder("posts") as found:
        eventually(
            lambda: [http.get(POSTS, params={"limit": 1}) for _ in range(4)] and found.seen,
            within=8,
            what="a second instance of posts in the catalog to get requests from the gateway",
        )
        found.seen.clear()
        yield found

    def forgotten() -> bool:
        answers = [plain.get(GATEWAY + POSTS, params={"limit": 1}) for _ in range(4)]
        return all(b"recorded" not in answer.content for answer in answers)

    eventually(forgotten, within=8, what="the gateway to forget the recording instance")


@check(points=3)
@pytest.mark.disturbs
def test_writes_need_a_token() -> None:
    """Reads are public; a write without a token gets 401 from the gateway and never reaches posts"""
    with recorded() as posts, plain.client(base_url=GATEWAY, timeout=10) as http:
        path = f"{POSTS}/{'0' * 24}"
        for method, where in (("POST", POSTS), ("PUT", path), ("DELETE", path), ("PATCH", path)):
            for _ in range(4):
                answer = http.request(method, where, json={})
                require(
                    answer.status_code == 401,
                    f"{method} {where} without a token",
                    expected="401",
                    saw=said(answer),
                    means="Anybody can write. Protect every method that is not a read.",
                )
        reached = [(method, path) for method, path, _ in posts.seen]
        means = "The gateway must ask auth before it passes anything on."
        require(not reached, "writes without a token", expected="nothing at posts", saw=reached, means=means)
        for _ in range(4):
            answer = http.get(POSTS, params={"limit": 1})
            means = "Posts are public to read."
            require(answer.status_code == 200, f"GET {POSTS}", expected="200", saw=said(answer), means=means)


@check(points=3)
@pytest.mark.disturbs
def test_forged_identity_never_arrives(ada: Person) -> None:
    """X-User-ID and the gateway's proof from outside never reach the service, however spelled"""
    secret = environment("posts")["GATEWAY_SECRET"]
    with recorded() as posts:
        for spelling in SPELLINGS:
            forged = {spelling: "424242", "X-Gateway-Secret": "guess", "x_gateway_secret": "guess"}
            with plain.client(base_url=GATEWAY, timeout=10) as http:
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
                means="A header that a client can set proves nothing. Clean it on every route.",
            )
        methods = {method for method, _, _ in posts.seen}
        means = "Half of the requests should reach each of two instances."
        require(
            methods >= {"GET", "POST"}, "reads and writes", expected="both arrive", saw=methods, means=means
        )


@check(points=2)
@pytest.mark.disturbs
def test_neighbours_are_not_caught(lab: Exercise, rng: Random) -> None:
    """A path goes where its rule and priority say; one that only begins alike does not"""
    with recorded() as posts, plain.client(base_url=GATEWAY, timeout=10) as http:
        for path in ("/api/postscript", "/api/posts2", "/api/posts.bak", "/api/posts-old/1"):
            answers = [http.get(path).status_code for _ in range(4)]
            reached = [seen for _, seen, _ in posts.seen if seen.startswith(path)]
            require(
                set(answers) == {404} and not reached,
                f"GET {path}",
                expected="404, and nothing at posts",
                saw=f"{answers}, {len(reached)} reached posts",
                means="PathPrefix compares characters, not parts of a path.",
            )
        for path in (POSTS, f"{POSTS}/{'0' * 24}", f"{POSTS}/"):
            for _ in range(4):
                http.get(path)
        seen = {path for _, path, _ in posts.seen}
        means = "The path itself and all below it belong to posts."
        require(len(seen) == 3, f"GET {POSTS} and below", expected="at posts", saw=seen, means=means)
    with live_probe(lab, rng) as (service, seen_there, http):
        _goes_where_it_should(service.name, seen_there, http)


def _goes_where_it_should(name: str, there: Recorder, http: httpx.Client) -> None:
    """Routes of a rule set that a check published, with your rule_set()."""
    for path in (f"/{name}/x", f"/{name}/x/1", f"/{name}/y", f"/{name}/y/1"):
        status, seen = _meets(there, http, path)
        means = "under() with several paths matches each of them and what lies below."
        did = f"GET {path} with the rule under('/{name}/x', '/{name}/y')"
        require((status, seen) == (200, [path]), did, expected="at the service", saw=status, means=means)
    path = f"/{name}/both"
    _, seen = _meets(there, http, path)
    require(
        seen == [f"/first{path}"],
        f"GET {path} with two matching routes: the short rule has priority 300, the long one 30",
        expected=f"the first route, which adds the prefix: /first{path}",
        saw=seen or "nothing at the service",
        means="Without a priority Traefik takes the longest rule, whatever you had in mind.",
    )
    path = f"/{name}/away"
    status, seen = _meets(there, http, path)
    require(
        status == 503 and not seen,
        f"GET {path} with the route away('{name}', …, by='auth')",
        expected="503 by auth, which answers for a service without instances",
        saw=f"{status}, and {len(seen)} reached the service itself",
        means="served_by and add_prefix lead a request to another service, under another path.",
    )


def _meets(there: Recorder, http: httpx.Client, path: str) -> tuple[int, list[str]]:
    """Status of a GET, and what reached the recording instance meanwhile."""
    there.seen.clear()
    status = http.get(path).status_code
    return status, [seen for _, seen, _ in there.seen]


@check(points=3)
@pytest.mark.disturbs
def test_one_transaction(lab: Exercise, rng: Random) -> None:
    """All that changes in the rules of a service changes in one transaction"""
    with probe(lab, rng) as service:
        for case in ("good", "changed"):
            before = len(service.door.writes())
            said = service.publish(case)
            writes = [f"{asked.method} {asked.path}" for asked in service.door.writes()[before:]]
            require(
                said == "published" and len(writes) == 1,
                "published a rule set with your module, then one that leaves out a route and changes another"
                if case == "changed"
                else "published a rule set with your module",
                expected="one request that writes: PUT /v1/txn",
                saw=f"{said}; {len(writes)} requests: {', '.join(writes[:4])}",
                means="Between two writes the gateway sees neither the old rules nor the new ones.",
            )
    eventually(lambda: keys_of("posts"), within=8, what="rules of posts in Consul KV")
    for kind in ("routers", "middlewares"):
        consul("DELETE", f"/v1/kv/{ROOT}/{kind}/posts-?recurse=true")
    eventually(
        lambda: keys_of("posts"), within=8, what="the rules of posts to come back after they were deleted"
    )
    time.sleep(0.5)  # a writer that goes key by key gets the time to go on
    indexes = {index for _, index in keys_of("posts").values()}
    require(
        len(indexes) == 1,
        "deleted all rules of posts and looked at how they came back",
        expected="one ModifyIndex for all keys: one transaction",
        saw=f"{len(indexes)} transactions for {len(keys_of('posts'))} keys",
        means="Between two writes the gateway may see a router without its protection.",
    )
    eventually(lambda: plain.get(f"{GATEWAY}{POSTS}").status_code == 200, within=8, what="routes")


@check(points=2)
def test_stale_keys_go() -> None:
    """Keys that are no longer wanted are removed"""
    stale = f"{ROOT}/routers/posts-of-last-year/"
    for key, value in (
        ("rule", "Path(`/api/last-year`)"),
        ("service", "posts@consulcatalog"),
        ("priority", "50"),
    ):
        consul("PUT", f"/v1/kv/{stale}{key}", content=value.encode())
    try:
        eventually(
            lambda: not [key for key in keys_of("posts") if key.startswith(stale)],
            within=8,
            what="a router that posts does not want any more to be removed from KV",
        )
    finally:
        consul("DELETE", f"/v1/kv/{stale}?recurse=true")


PUBLISH = """
import consul, os, sys
from civildiy.chassis.routes import *
name, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
good = [
    Route("open", f"Path(`/{name}/open`)", 100, needs_user=False),
    Route("login", f"Path(`/{name}/login`)", 200, needs_user=False, limit=(1, 3)),
    Route("guarded", f"Path(`/{name}/guarded`)", 100, limit=(1, 3)),
    Route("first", f"Path(`/{name}/both`)", 300, needs_user=False, add_prefix="/first"),
    Route("second", f"Path(`/{name}/both`) && (Method(`GET`) || Method(`HEAD`))", 30, needs_user=False),
    Route("below", under(f"/{name}/x", f"/{name}/y"), 100, needs_user=False),
    away(name, f"/{name}/away", by="auth"),
]
nowhere = "Host(`nowhere.example`)"
cases = {
    "good": good,
    "changed": [*good[2:], Route("login", f"Path(`/{name}/login`)", 210, needs_user=False, limit=(1, 3))],
    "not": [Route("a", f"!Path(`/{name}/a`) && {nowhere}", 10)],
    "nested": [Route("a", f"(({nowhere} && !(PathPrefix(`/a`))) || (Path(`/b`) && {nowhere}))", 10)],
    "two arguments": [Route("a", f"Header(`X-Kind`, `a`) && PathRegexp(`^/a$`) && {nowhere}", 10)],
    "no routes": [],
    "two of one name": [good[0], good[0]],
    "bracket missing": [Route("a", "(Path(`/a`)", 10)],
    "no quotes": [Route("a", "Path(/a)", 10)],
    "operator at the end": [Route("a", "Path(`/a`) &&", 10)],
    "not a matcher": [Route("a", "Paht(`/a`)", 10)],
    "priority 0": [Route("a", "Path(`/a`)", 0)],
    "name with a slash": [Route("a/b", "Path(`/a`)", 10)],
    "limit 0": [Route("a", "Path(`/a`)", 10, limit=(0, 5))],
    "no operator between": [Route("a", "Path(`/a`) Method(`GET`)", 10)],
    "empty": [Route("a", "", 10)],
    "more than one transaction takes": [Route(f"r{n}", f"Path(`/{name}/{n}`)", 10) for n in range(40)],
}
client = consul.Consul(host=host, port=port)
client.http.session.trust_env = False  # no proxy stands between a service and its agent
auth = os.environ["AUTH_CHECK_URL"]
for case in sys.stdin:
    try:
        keys = rule_set(name, cases[case.strip()], secret="s" * 20, auth_check_url=auth)
        RouteStore(client, name).publish(keys)
    except RulesRefused as refused:
        say("refused", " ".join(str(refused).split()))
    else:
        say("published")
"""
GOOD = ("not", "nested", "two arguments", "good")
BAD = (
    "no routes", "two of one name", "bracket missing", "no quotes", "operator at the end", "not a matcher",
    "priority 0", "name with a slash", "limit 0", "no operator between", "empty",
    "more than one transaction takes",
)  # fmt: skip


class Probe:
    """A service of its own, whose rule sets the learner's module publishes."""

    def __init__(self, name: str, module: Beside, door: Door) -> None:
        self.name, self._module, self.door = name, module, door

    def publish(self, case: str) -> str:
        """What the module says of a rule set."""
        self._module.tell(case)
        return self._module.hear(f"rule_set and publish with the rule set '{case}'", within=30)


@contextmanager
def probe(lab: Exercise, rng: Random) -> Iterator[Probe]:
    """Its keys are removed afterwards."""
    name = f"probe{rng.getrandbits(40):x}"
    try:
        with (
            door_to_consul() as door,
            beside(lab, "posts", PUBLISH, name, door.host, str(door.port)) as module,
        ):
            yield Probe(name, module, door)
    finally:
        for kind in ("routers", "middlewares"):
            consul("DELETE", f"/v1/kv/{ROOT}/{kind}/{name}-?recurse=true")


@contextmanager
def live_probe(lab: Exercise, rng: Random) -> Iterator[tuple[Probe, Recorder, httpx.Client]]:
    """Its good rules are in force, and lead to an instance that records."""
    with (
        probe(lab, rng) as service,
        recorder(service.name) as there,
        plain.client(base_url=GATEWAY, timeout=10) as http,
    ):
        service.publish("good")
        eventually(
            lambda: http.get(f"/{service.name}/open").status_code == 200,
            within=8,
            what="the new route to be live",
        )
        yield service, there, http


@check(points=3)
def test_broken_rules_are_refused(lab: Exercise, rng: Random) -> None:
    """A broken rule set is refused before it reaches KV, and the old one stays in force"""
    with probe(lab, rng) as service:
        for case in GOOD:
            said = service.publish(case)
            before = keys_of(service.name)
            require(
                said == "published" and before,
                f"rule_set and publish with the good rule set '{case}'",
                expected="keys in KV",
                saw=said,
                means="A check that refuses what Traefik can read keeps everybody from changing a rule.",
            )
        for case in BAD:
            said = service.publish(case)
            after = keys_of(service.name)
            require(
                said.startswith("refused") and after == before,
                f"rule_set and publish with the rule set '{case}'",
                expected="RulesRefused, and KV as it was",
                saw=f"{said}; KV {'as it was' if after == before else 'changed'}",
                means="One rule that Traefik cannot read can stop all later changes.",
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
            means="Without a limit passwords can be guessed as fast as the network allows.",
        )
        guarded = [http.get(f"/{name}/guarded").status_code for _ in range(12)]
        require(
            401 in guarded and 429 in guarded,
            "12 requests without a token to a route with the same limit that needs a user",
            expected="401, and 429 as soon as the limit is reached",
            saw=guarded,
            means="The limit stands in front: else each guess still costs auth its work.",
        )
        free = {http.get(f"/{name}/open").status_code for _ in range(150)}
        free |= {http.get(POSTS, params={"limit": 1}).status_code for _ in range(150)}
        means = "A limit meant for the login must not slow down everything else."
        require(
            free == {200},
            "150 requests each to routes without a limit",
            expected="200",
            saw=free,
            means=means,
        )
        gateway, address = backend.neighbour()
        other = httpx.HTTPTransport(local_address=address, verify=plain.NO_TLS)
        with plain.client(transport=other, base_url=gateway) as neighbour:
            answer = neighbour.get(f"/{name}/login")
        require(
            answer.status_code == 200,
            "the same route from another address",
            expected="200",
            saw=said(answer),
            means="The limit counts for each client address.",
        )


@check(points=3)
@pytest.mark.disturbs
def test_two_instances_share_and_one_may_die() -> None:
    """Two instances share the load; killing one loses at most the requests in flight"""
    workers = 4
    with second_instance("posts") as second:
        eventually(
            lambda: ask(20)["200"] and answered(backend, second, POSTS) >= 5,
            within=15,
            what="a second instance of posts to get a share",
        )
        with ThreadPoolExecutor(workers) as pool:
            running = [pool.submit(ask, 60) for _ in range(workers)]
            backend.signal("posts-2", signal.SIGKILL)
            seen = sum((future.result() for future in running), Counter[str]())
        lost = Counter({what: number for what, number in seen.items() if what != "200"})
        require(
            # A process that dies still takes connections for some milliseconds; those are lost, too.
            lost.total() <= 3 * workers,
            f"{60 * workers} reads by {workers} clients while one of two instances was killed",
            expected=f"at most {3 * workers} failed: those in flight, and those that met it dying",
            saw=f"{lost.total()} failed: {dict(lost)}",
            means="Until Consul notices, the gateway has to try the next instance.",
        )
    eventually(lambda: ask(10)["200"] == 10, within=10, what="all reads to succeed with one instance")


def ask(times: int) -> Counter[str]:
    """What so many reads were answered, by status or error."""
    seen: Counter[str] = Counter()
    with plain.client(base_url=GATEWAY, timeout=10) as http:
        for _ in range(times):
            # An answer that broke off in the middle is one that was lost, as good as a 502.
            try:
                seen[str(http.get(POSTS, params={"limit": 1}).status_code)] += 1
            except httpx.HTTPError as error:
                seen[type(error).__name__] += 1
    return seen
