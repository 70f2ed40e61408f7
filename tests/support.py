"""Shared by the tests: users of the system, and waiting for a condition instead of a fixed time."""

import json
import secrets
import signal
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx
from kafka import KafkaConsumer, TopicPartition

from civildiy.chassis.clients.kafka import reader
from civildiy.contracts.posts.envelope import POSTS_TOPIC
from lab.backends.choice import chosen
from lab.deadlines import slow
from lab.home import Home
from lab.probes import local_http
from lab.probes.readiness import waiting_for

T = TypeVar("T")

home = Home.from_environment()
backend = chosen(home)
ENDPOINTS = backend.endpoints()
GATEWAY = ENDPOINTS["gateway"]


def client(**options: Any) -> httpx.Client:
    """Return a client of the gateway that ignores proxies."""
    return local_http.client(base_url=GATEWAY, timeout=10 * slow(), **options)


def eventually(look: Callable[[], T], *, within: float, what: str) -> T:
    """Call `look` repeatedly and return its first truthy result; fail with the last one after `within`."""
    deadline = time.monotonic() + within * slow()
    last: object = None
    while time.monotonic() < deadline:
        try:
            last = found = look()
        except (httpx.HTTPError, json.JSONDecodeError) as error:
            last = error
        else:
            if found:
                return found
        time.sleep(0.05)
    raise AssertionError(f"waited {within * slow():.0f} s for {what}; last seen: {last!r}")


@contextmanager
def paused(unit: str) -> Iterator[None]:
    """Pause a unit: its connections stay open, it accepts new ones, and it answers nothing."""
    backend.freeze(unit)
    try:
        yield
    finally:
        backend.thaw(unit)


@contextmanager
def stopped(unit: str) -> Iterator[None]:
    """Stop a unit, and start it again at the end of the block."""
    backend.stop_unit(unit)
    try:
        yield
    finally:
        backend.start_unit(unit)


def until_healthy() -> None:
    """Wait until all services are reachable and ready."""
    with local_http.client(timeout=3) as http:
        eventually(lambda: not waiting_for(ENDPOINTS, http), within=60, what="a healthy system")


def until_rules_are_read() -> None:
    """Wait until the gateway works by the rules that are in Consul KV now.

    Traefik applies a change up to two seconds after another one, so a request that is answered as wanted may
    have met older rules. A middleware that did not exist before shows that the present ones are read.
    """
    name = f"marker-{secrets.token_hex(4)}"
    url = f"{ENDPOINTS['consul']}/v1/kv/traefik/http/middlewares/{name}/addPrefix/prefix"
    seen = f"{ENDPOINTS['traefik']}/api/http/middlewares/{name}@consul"
    local_http.put(url, content=b"/marker").raise_for_status()
    try:
        eventually(
            lambda: local_http.get(seen).status_code == 200, within=20, what="the gateway to read its rules"
        )
    finally:
        local_http.request("DELETE", url).raise_for_status()


class Person:
    """A user with an account and a token."""

    def __init__(self) -> None:
        self.name = f"p{secrets.token_hex(6)}"
        self.email = f"{self.name}@example.org"
        self.password = secrets.token_hex(12)
        self.http = client()
        weakref.finalize(self, self.http.close)
        new = {"email": self.email, "username": self.name, "password": self.password}
        answer = self.http.post("/api/auth/register", json=new)
        assert answer.status_code == 201, answer.text
        self.id: int = answer.json()["id"]
        login = self.http.post("/api/auth/login", json={"email": self.email, "password": self.password})
        assert login.status_code == 200, login.text
        self.token: str = login.json()["access_token"]
        self.http.headers["Authorization"] = f"Bearer {self.token}"

    def post(self, title: str = "title", content: str = "content", **more: Any) -> dict[str, Any]:
        """Create a post; fail if it is not accepted."""
        answer = self.http.post("/api/posts", json={"title": title, "content": content, **more})
        assert answer.status_code == 201, answer.text
        post: dict[str, Any] = answer.json()
        return post

    def feed(self, limit: int = 100) -> list[dict[str, Any]]:
        """Return the user's own feed. Raises HTTPStatusError, after which `eventually` tries again."""
        answer = self.http.get("/api/activity-stream/user", params={"limit": limit})
        if answer.status_code != 200:
            raise httpx.HTTPStatusError(answer.text, request=answer.request, response=answer)
        items: list[dict[str, Any]] = answer.json()["items"]
        return items


def events_of(post_id: str) -> list[dict[str, Any]]:
    """Return all events of one post from the topic, in order."""
    return [json.loads(value) for key, value in topic() if key == post_id]


def topic(start: int = 0) -> Iterator[tuple[str, bytes]]:
    """Return key and value of each record from offset `start` to the end, also of poison messages."""
    partition = TopicPartition(POSTS_TOPIC, 0)
    consumer: KafkaConsumer = reader(ENDPOINTS["kafka"])
    try:
        consumer.assign([partition])
        end = consumer.end_offsets([partition])[partition]
        consumer.seek(partition, start)
        position = start
        while position < end:
            for record in consumer.poll(timeout_ms=1000).get(partition, []):
                position = record.offset + 1
                yield record.key.decode(), record.value
            position = max(position, consumer.position(partition))
    finally:
        consumer.close()


def pid_of(unit: str) -> int:
    """Return the pid of a running unit."""
    found = backend.pid_of(unit)
    assert found, f"{unit} is not running"
    return found


def kill(unit: str) -> None:
    """Send SIGKILL to one unit of the system under test."""
    assert pid_of(unit)
    backend.signal(unit, signal.SIGKILL)
