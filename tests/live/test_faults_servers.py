"""Servers that are killed, paused or shut down: what the services answer meanwhile."""

import signal
import time
from contextlib import suppress
from threading import Event, Thread
from typing import Any

import httpx
import pytest
from support import ENDPOINTS, Person, backend, client, eventually, pid_of, stopped

from civildiy.chassis.clients.kafka import DELIVERY_MS
from lab.probes import local_http


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
    """Requests that run while the server shuts down get other errors than later requests."""
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
        ("postgresql", "profile", "/api/profile"),
        pytest.param("redis", "feed", "/api/activity-stream", marks=pytest.mark.campaign),
        pytest.param("mongodb", "posts", "/api/posts", marks=pytest.mark.campaign),
    ],
)
def test_a_dead_store_is_named(ada: Person, unit: str, service: str, path: str) -> None:
    with stopped(unit):
        answer = ada.http.get(path)
        assert answer.status_code == 503, answer.text
        assert unit in answer.text
        ready = local_http.get(f"{ENDPOINTS[service]}/ready", timeout=10)
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
        for _ in range(5):  # auth does not look for new keys each time, and the answer stays the same
            answer = ada.http.get("/api/activity-stream/user")
            assert answer.status_code == 503, answer.text
            assert "postgresql" in answer.text
    eventually(lambda: ada.http.get("/api/activity-stream/user").is_success, within=30, what="the feed")


@pytest.mark.fault
@pytest.mark.campaign
def test_a_stopping_gateway_still_asks_auth() -> None:
    """When the gateway restarts, requests with a token are answered or disconnected, never with a 500."""
    person, ended = Person(), Event()
    seen: list[int] = []

    def read() -> None:
        with client(headers=person.http.headers) as http:
            while not ended.is_set():
                try:
                    seen.append(http.get("/api/activity-stream/user").status_code)
                except httpx.HTTPError:
                    time.sleep(0.01)

    def reads_again() -> None:
        before = seen.count(200)
        eventually(lambda: seen.count(200) >= before + 20, within=30, what="feeds to be read again")

    readers = [Thread(target=read) for _ in range(6)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(5):
            backend.restart("traefik")
            reads_again()
    finally:
        ended.set()
        for reader in readers:
            reader.join()
    assert 500 not in seen, f"{seen.count(500)} of {len(seen)} answers are 500"
