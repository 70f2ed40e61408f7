"""Killed processes: nothing that was accepted is lost, and nobody has to lend a hand."""

import signal
import time
from contextlib import suppress
from threading import Event, Thread
from typing import Any

import httpx
import pytest
from support import ENDPOINTS, Person, backend, client, eventually, kill, pid_of, stopped

from civildiy.events.clients import DELIVERY_MS
from lab import plain

POSTS = 200


def write_posts(count: int, people: list[Person], during: Any, at: int) -> dict[str, int]:
    """Write until `count` posts are answered 201; calls `during` after `at` of them."""
    accepted: dict[str, int] = {}
    refused = 0
    deadline = time.monotonic() + 120
    while len(accepted) < count:
        assert time.monotonic() < deadline, f"only {len(accepted)} posts accepted, {refused} refused"
        person = people[len(accepted) % len(people)]
        number = len(accepted)
        if number == at and during:
            during()
            during = None
        try:
            answer = person.http.post("/api/posts", json={"title": f"{number}", "content": "c"})
        except httpx.HTTPError:
            refused += 1
            time.sleep(0.1)
            continue
        if answer.status_code == 201:
            accepted[answer.json()["id"]] = person.id
        else:
            assert answer.status_code in (429, 502, 503, 504), answer.text
            refused += 1
            time.sleep(0.1)
    return accepted


@pytest.mark.fault
@pytest.mark.parametrize("unit", ["posts", "posts-relay", "feed-projector", "redis", "kafka", "mongodb"])
def test_kill_while_posts_are_written(unit: str) -> None:
    people = [Person() for _ in range(4)]  # 50 posts each fit their own lists of 100
    accepted = write_posts(POSTS, people, lambda: kill(unit), POSTS // 3)

    def missing_or_doubled() -> list[str]:
        wrong = []
        for person in people:
            seen = [item["post_id"] for item in person.feed()]
            mine = [post for post, owner in accepted.items() if owner == person.id]
            wrong += [post for post in mine if seen.count(post) != 1]
        return wrong

    eventually(lambda: missing_or_doubled() == [], within=60, what="every post in the feed exactly once")
    with client() as http:
        pages = [
            http.get("/api/activity-stream", params={"limit": 100, "skip": skip}).json()["items"]
            for skip in (0, 100, 200)
        ]
    everybody = [item["post_id"] for page in pages for item in page]
    assert all(everybody.count(post) == 1 for post in accepted)


def consul_states(service: str) -> list[str]:
    url = f"{ENDPOINTS['consul']}/v1/health/checks/{service}"
    return [check["Status"] for check in plain.get(url).json()]


@pytest.mark.fault
def test_killed_instance_is_critical_and_out_of_rotation(anybody: httpx.Client) -> None:
    # Frozen first, so that the supervisor cannot bring it back before Consul has looked.
    backend.signal("profile", signal.SIGSTOP)
    try:
        eventually(lambda: consul_states("profile") == ["critical"], within=15, what="critical")
        eventually(
            lambda: anybody.get("/api/profile/health", timeout=1).status_code == 503,
            within=5,
            what="the gateway's 503",
        )
    finally:
        backend.signal("profile", signal.SIGKILL)
    eventually(lambda: consul_states("profile") == ["passing"], within=20, what="passing again")


@pytest.mark.fault
def test_restarted_consul_gets_everything_back() -> None:
    kill("consul")
    services = ("auth", "profile", "posts", "feed")
    eventually(
        lambda: [consul_states(service) for service in services] == [["passing"]] * 4,
        within=30, what="all four services passing",
    )  # fmt: skip


@pytest.mark.fault
def test_consul_that_forgot_an_instance_gets_it_back() -> None:
    url = f"{ENDPOINTS['consul']}/v1/agent/service/deregister/posts-{backend.host('posts')}"
    plain.put(url).raise_for_status()
    eventually(lambda: consul_states("posts") == ["passing"], within=15, what="posts registered again")


@pytest.mark.fault
def test_posts_are_accepted_while_kafka_is_away() -> None:
    person = Person()
    with stopped("kafka"):
        times = []
        for number in range(20):
            began = time.monotonic()
            person.post(str(number))
            times.append(time.monotonic() - began)
        assert sorted(times)[10] < 0.1
    eventually(lambda: len(person.feed()) == 20, within=60, what="all events after Kafka is back")
    titles = [item["title"] for item in person.feed()]
    assert titles == [str(number) for number in reversed(range(20))]


@pytest.mark.fault
@pytest.mark.campaign
def test_a_broker_that_stands_still_for_longer_than_a_delivery() -> None:
    """A record that timed out is sent again when the broker is back."""
    person = Person()
    backend.signal("kafka", signal.SIGSTOP)
    try:
        post = person.post("waits")
        given_up = time.monotonic() + DELIVERY_MS / 1000 + 2
        eventually(lambda: time.monotonic() > given_up, within=60, what="the relay to give up once")
    finally:
        backend.signal("kafka", signal.SIGCONT)
    eventually(
        lambda: [item["post_id"] for item in person.feed()] == [post["id"]], within=40, what="the post"
    )


@pytest.mark.fault
@pytest.mark.campaign
@pytest.mark.parametrize(
    ("unit", "method", "path", "body"),
    [
        ("mongodb", "POST", "/api/posts", {"title": "t", "content": "c"}),
        ("postgresql", "PUT", "/api/profile", {"city": "Ulm"}),
        ("redis", "GET", "/api/activity-stream", None),
    ],
)
def test_a_store_that_ends_in_order_is_no_500(unit: str, method: str, path: str, body: Any) -> None:
    """Requests that are under way when it says goodbye get errors of another kind than later ones."""
    people = [Person() for _ in range(16)]
    for person in people:
        person.http.post("/api/profile", json={})
    statuses: set[int] = set()
    over = Event()

    def ask(person: Person) -> None:
        while not over.is_set():
            with suppress(httpx.HTTPError):
                statuses.add(person.http.request(method, path, json=body).status_code)

    threads = [Thread(target=ask, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for _ in range(4):
        time.sleep(0.5)
        with stopped(unit):
            pass
    over.set()
    for thread in threads:
        thread.join()
    assert statuses & {200, 201}
    assert statuses - {200, 201} <= {502, 503, 504}


@pytest.mark.fault
@pytest.mark.parametrize(
    ("unit", "service", "path"),
    [
        ("redis", "feed", "/api/activity-stream"),
        ("mongodb", "posts", "/api/posts"),
        ("postgresql", "profile", "/api/profile"),
    ],
)
def test_a_dead_store_is_named(ada: Person, unit: str, service: str, path: str) -> None:
    with stopped(unit):
        answer = ada.http.get(path)
        assert answer.status_code == 503, answer.text
        assert unit in answer.text
        ready = plain.get(f"{ENDPOINTS[service]}/ready", timeout=10)
        assert (ready.status_code, unit in ready.text) == (503, True)
        assert ada.http.get(f"{path}/health").status_code == 200


@pytest.mark.fault
def test_auth_that_began_without_postgresql_does_not_refuse_good_tokens(ada: Person) -> None:
    with stopped("postgresql"):
        before = pid_of("auth")
        backend.restart("auth")
        eventually(
            lambda: (
                backend.pid_of("auth") not in (None, before) and ada.http.get("/api/auth/health").is_success
            ),
            within=30,
            what="auth to be back",
        )
        for _ in range(5):  # keys are not looked for each time, and the answer stays the same
            answer = ada.http.get("/api/activity-stream/user")
            assert answer.status_code == 503, answer.text
            assert "postgresql" in answer.text
    eventually(lambda: ada.http.get("/api/activity-stream/user").is_success, within=30, what="the feed")


@pytest.mark.fault
@pytest.mark.campaign
def test_relay_and_projector_killed_again_and_again() -> None:
    people = [Person() for _ in range(4)]
    over = Event()
    kills: list[str] = []

    def killer() -> None:
        while not over.wait(0.7):
            for unit in ("posts-relay", "feed-projector"):
                try:
                    kill(unit)
                except AssertionError:
                    continue  # it is on its way up
                kills.append(unit)

    thread = Thread(target=killer)
    thread.start()
    try:
        accepted = write_posts(POSTS, people, None, 0)
        written = len(kills)
        # The kills go on while the backlog is worked off.
        eventually(lambda: len(kills) >= written + 6, within=60, what="six more kills")
    finally:
        over.set()
        thread.join()
    for person in people:
        mine = [post for post, owner in accepted.items() if owner == person.id]
        eventually(
            lambda p=person, m=mine: [i["post_id"] for i in p.feed()] == m[::-1],  # type: ignore[misc]
            within=60, what="all posts, once, newest first",
        )  # fmt: skip


@pytest.mark.fault
@pytest.mark.campaign
def test_a_stopping_gateway_still_asks_auth() -> None:
    """Requests that need a user are answered or cut off when the gateway restarts, never with a 500."""
    person, ended = Person(), Event()
    seen: list[int] = []

    def read() -> None:
        with client(headers=person.http.headers) as http:
            while not ended.is_set():
                try:
                    seen.append(http.get("/api/activity-stream/user").status_code)
                except httpx.HTTPError:
                    time.sleep(0.01)

    def well() -> bool:
        return person.http.get("/api/activity-stream/user").status_code == 200

    readers = [Thread(target=read) for _ in range(6)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(5):
            backend.restart("traefik")
            eventually(well, within=20, what="the gateway to be back")
            time.sleep(0.5)
    finally:
        ended.set()
        for reader in readers:
            reader.join()
    assert seen.count(200) > 100
    assert 500 not in seen, f"{seen.count(500)} of {len(seen)} answers are 500"
