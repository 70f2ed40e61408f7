"""Consul notices a dead instance, the gateway leaves it out, and a lost registration is repaired."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import httpx
import psutil
import pytest
from support import ENDPOINTS, Person, backend, eventually, home, kill, pid_of, until_rules_are_read

from lab.probes import local_http
from lab.topology import PATHS

pytestmark = [
    pytest.mark.fault,
    pytest.mark.skipif(backend.kind != "native", reason="holds the native backend's supervisor"),
]
CRITICAL_SECONDS = 15
"""The documented limit, so LAB_SLOW does not stretch it."""
WRITERS = 8
MOST_POSTS = 90
"""Posts of each writer: a feed holds the last 100."""
KV = f"{ENDPOINTS['consul']}/v1/kv/traefik/http"


@contextmanager
def nothing_restarted() -> Iterator[None]:
    """Pause the supervisor, so that a killed unit stays dead."""
    (supervisor,) = (
        process
        for process in psutil.process_iter(["name", "cwd"])
        if process.info["name"] == "process-compose" and process.info["cwd"] == str(home.run)
    )
    supervisor.suspend()
    try:
        yield
    finally:
        supervisor.resume()


def states() -> dict[str, str]:
    """Return Consul's status of each service that it knows."""
    checks = local_http.get(f"{ENDPOINTS['consul']}/v1/health/state/any", timeout=5).json()
    return {check["ServiceName"]: check["Status"] for check in checks if check["ServiceName"]}


def through_the_gateway(service: str) -> int:
    return local_http.get(f"{ENDPOINTS['gateway']}/api/{PATHS[service]}/health", timeout=5).status_code


# In pairs: while a service is dead, another one reports it: auth for the other three, posts for auth.
@pytest.mark.parametrize("dead", [("auth", "profile"), ("posts", "feed")])
def test_killed_instances_are_critical_and_out_of_rotation(dead: tuple[str, ...]) -> None:
    answers_for = {"auth": "posts"}
    pids = {service: pid_of(service) for service in dead}
    with nothing_restarted():
        began = time.monotonic()
        for pid in pids.values():
            psutil.Process(pid).kill()
        while not all(states().get(service) == "critical" for service in dead):
            assert time.monotonic() - began < CRITICAL_SECONDS, states()
            time.sleep(0.1)
        for service in dead:
            if answers_for.get(service, "auth") not in dead:
                eventually(
                    lambda s=service: through_the_gateway(s) == 503,  # type: ignore[misc]
                    within=5, what=f"the gateway's 503 for {service}",
                )  # fmt: skip
    eventually(lambda: all(states()[s] == "passing" for s in dead), within=20, what="all passing again")
    eventually(lambda: [through_the_gateway(s) for s in dead] == [200, 200], within=5, what="all routed")


@pytest.mark.parametrize(
    "unit", ["posts", *(pytest.param(unit, marks=pytest.mark.campaign) for unit in ("auth", "traefik"))]
)
def test_eight_writers_lose_nothing(unit: str) -> None:
    """Every post that was answered 201 is in the feeds afterwards, exactly once."""
    people = [Person() for _ in range(WRITERS)]
    accepted: dict[int, set[str]] = {person.id: set() for person in people}
    over = Event()

    def write(person: Person) -> None:
        mine = accepted[person.id]
        while not over.is_set() and len(mine) < MOST_POSTS:
            try:
                answer = person.http.post("/api/posts", json={"title": "t", "content": "c"})
            except httpx.HTTPError:
                continue
            if answer.status_code == 201:
                mine.add(answer.json()["id"])
            else:
                assert answer.status_code in (404, 502, 503, 504), answer.text
            time.sleep(0.03)

    def each_has(more: int) -> None:
        """Measured before the fault and after it; other tests measure how long the recovery takes."""
        goals = {name: min(len(mine) + more, MOST_POSTS) for name, mine in accepted.items()}

        def all_have() -> bool:
            for writer in writers:
                if writer.done():
                    writer.result()  # a failed one reports why
            return all(len(accepted[name]) >= goal for name, goal in goals.items())

        eventually(all_have, within=30, what=f"{more} more posts of each writer")

    with ThreadPoolExecutor(WRITERS) as threads:
        writers = [threads.submit(write, person) for person in people]
        try:
            each_has(more=3)
            kill(unit)
            each_has(more=10)
        finally:
            over.set()
        for writer in writers:
            writer.result()
    for person in people:
        # A post whose answer was lost with the gateway may be there as well.
        mine = accepted[person.id]

        def complete(person: Person = person, mine: set[str] = mine) -> bool:
            seen = [item["post_id"] for item in person.feed()]
            return mine <= set(seen) and len(seen) == len(set(seen))

        eventually(complete, within=30, what="every accepted post in the stream, once")


def test_a_consul_that_lost_everything_gets_everything_back() -> None:
    backend.forget("consul")
    eventually(lambda: states() == dict.fromkeys(PATHS, "passing"), within=40, what="four services passing")
    eventually(
        lambda: {through_the_gateway(s) for s in PATHS} == {200},
        within=20,
        what="the gateway's rules to be back",
    )
    assert Person().http.get("/api/profile").status_code == 404


def test_bytes_that_are_no_text_among_the_rules_are_written_anew(anybody: httpx.Client) -> None:
    pid = pid_of("profile")
    router = f"{KV}/routers/profile-own"
    rule = local_http.get(f"{router}/rule?raw").text
    for url in (f"{router}/rule", f"{KV}/routers/profile-stray/rule"):
        local_http.put(url, content=b"Path(`/\xff\xfe`)").raise_for_status()

    def mended() -> bool:
        stray = local_http.get(f"{KV}/routers/profile-stray/rule").status_code
        return stray == 404 and local_http.get(f"{router}/rule?raw").content == rule.encode()

    eventually(mended, within=10, what="the rules to be those of profile again")
    assert pid_of("profile") == pid
    until_rules_are_read()
    assert anybody.get("/api/profile").status_code == 401
