"""Measures the system with 1, 2, 3 and 6 partitions and replicas: `python -m lab.bench.scaling.measure`.

It fills the system with its own data and raises the number of partitions for good, so it asks for a system
that may be deleted afterwards. It needs the native backend, whose processes it can count. Each figure has the
processor time that it took, because the machine is the same for all and full from some number on.
"""

import json
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx
from bson import ObjectId
from pymongo import MongoClient

from civildiy.chassis.clients.kafka import admin, producer
from civildiy.contracts.posts.envelope import POSTS_TOPIC, encode
from civildiy.feed.projector.group import GROUP
from civildiy.posts.document import StoredPost, new_post, now
from civildiy.posts.relay.outbox import new_with_event, put_event
from civildiy.posts.relay.shards import purpose
from lab.backends.choice import chosen
from lab.backends.protocol import Backend
from lab.bench.processor import seconds as processor_seconds
from lab.bench.scaling.replicas import replicas
from lab.bench.wrk import wrk
from lab.deadlines import slow
from lab.errors import LabError
from lab.home import Home
from lab.probes import local_http
from lab.probes.tools import run_tool

STEPS = (1, 2, 3, 6)
UNITS = ("posts", "posts-relay", "feed-projector", "feed")
EVENTS = 4_000
PENDING = 2_000
SECONDS = 6
FIRST_USER = 10**9
TRACE = "00-" + "1" * 32 + "-" + "2" * 16 + "-00"


@dataclass
class Figure:
    """One measurement: how many per second, and the processor seconds for 1,000 of them, by unit."""

    per_second: float
    p50_ms: float | None = None
    processor: dict[str, float] = field(default_factory=dict)


@dataclass
class Row:
    """The figures with one number of partitions and replicas."""

    replicas: int
    load: float
    """Processes that wanted a processor, in the last minute."""
    writes: Figure
    publishing: Figure
    projection: Figure
    reads: Figure


class Scaling:
    """Measures one system."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._at = backend.endpoints()
        host, port = self._at["mongodb"].split(":")
        client: MongoClient[Any] = MongoClient(host, int(port), directConnection=True, tz_aware=True)
        self._database = client["posts"]
        self._token = self._user()
        self._pids: dict[str, list[int]] = {}

    def row(self, count: int) -> Row:
        """Bring the system to `count` partitions, and each unit to as many replicas; measure it."""
        ran = run_tool(self._backend, "topic-grow", [str(count)])
        if ran.code:
            raise LabError(str(ran.answer.get("why") or ran.messages[-1:]))
        with ExitStack() as stack:
            every = {unit.name: [unit.pid] for unit in self._backend.units() if unit.pid is not None}
            mine = {unit: stack.enter_context(replicas(self._backend, unit, count)) for unit in UNITS}
            self._pids = every | mine
            self._wait(lambda: self._divided(count), "projectors and relays to divide the work")
            self._wait(lambda: self._routed(count), "the replicas of posts and feed to be registered")
            return Row(
                count,
                os.getloadavg()[0],
                self._writes(),
                self._publishing(),
                self._projection(),
                self._reads(),
            )

    def _writes(self) -> Figure:
        body = json.dumps({"title": "scaling", "content": "x" * 200})
        with self._counted() as figure:
            load = wrk(f"{self._at['gateway']}/api/posts", 32, SECONDS, self._token, body)
            self._wait(lambda: not self._pending() and not self._lag(), "the posts to be in the feed")
        return figure(load.requests, load.requests / load.rate, load.p50)

    def _reads(self) -> Figure:
        with self._counted() as figure:
            load = wrk(f"{self._at['gateway']}/api/activity-stream?limit=20", 32, SECONDS)
        return figure(load.requests, load.requests / load.rate, load.p50)

    def _publishing(self) -> Figure:
        """Measure the relays alone: with pending events that are there when they begin."""
        with self._counted() as figure:
            with self._frozen("posts-relay"):
                for _ in range(0, PENDING, 500):
                    self._database["posts"].insert_many([_with_event() for _ in range(500)])
            began = time.monotonic()
            self._wait(lambda: not self._pending(), "all events to be published")
            took = time.monotonic() - began
        return figure(PENDING, took)

    def _projection(self) -> Figure:
        """Measure the projectors alone: with events on the topic that are there when they begin."""
        self._wait(lambda: not self._lag(), "no lag")
        # Paused before the events come, so all processor time of the projectors is for these events.
        with closing(producer(self._at["kafka"])) as log, self._counted() as figure:
            with self._frozen("feed-projector"):
                for _ in range(EVENTS):
                    post = _post()
                    event = put_event("post.created", post, post["created_at"], TRACE)
                    log.send(POSTS_TOPIC, key=str(post["_id"]).encode(), value=encode(event))
                log.flush(20)
            began = time.monotonic()
            self._wait(lambda: not self._lag(), "all events to be in the view")
            took = time.monotonic() - began
        return figure(EVENTS, took)

    @contextmanager
    def _counted(self) -> Iterator[Callable[..., Figure]]:
        """Count the processor time of the block; yields a function that makes the figure after it."""
        before = {unit: processor_seconds(pids) for unit, pids in self._pids.items()}
        used: dict[str, float] = {}

        def figure(done: int, took: float, p50: float | None = None) -> Figure:
            each = {unit: round(spent * 1000 / done, 3) for unit, spent in used.items() if spent > 0.02}
            return Figure(round(done / took, 1), p50, each)

        yield figure
        used |= {unit: processor_seconds(pids) - before[unit] for unit, pids in self._pids.items()}

    @contextmanager
    def _frozen(self, unit: str) -> Iterator[None]:
        """Pause a unit for less time than its session or its leases last."""
        for pid in self._pids[unit]:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in self._pids[unit]:
                os.kill(pid, signal.SIGCONT)

    def _pending(self) -> bool:
        return self._database["posts"].find_one({"settled": False}, {"_id": 1}) is not None

    def _lag(self) -> int:
        stats = local_http.get(f"{self._at['gateway']}/api/activity-stream/stats", timeout=5).json()
        lag = stats["lag_events"]
        return 1 if lag is None else int(lag)

    def _divided(self, count: int) -> bool:
        with closing(admin(self._at["kafka"])) as broker:
            members = broker.describe_groups([GROUP])[GROUP]["members"]
        busy = [m for m in members if (m["member_assignment"] or {}).get("assigned_partitions")]
        held = self._database["leases"].distinct("owner", {"_id": {"$in": [*map(purpose, range(count))]}})
        return len(busy) == len(held) == count

    def _routed(self, count: int) -> bool:
        health = f"{self._at['consul']}/v1/health/service"
        return all(
            len(local_http.get(f"{health}/{name}?passing", timeout=5).json()) == count
            for name in ("posts", "feed")
        )

    def _user(self) -> str:
        name = f"scaling{secrets.token_hex(6)}"
        person = {"email": f"{name}@example.org", "username": name, "password": secrets.token_hex(12)}
        with local_http.client(base_url=self._at["gateway"], timeout=20) as http:
            http.post("/api/auth/register", json=person).raise_for_status()
            login = {name: person[name] for name in ("email", "password")}
            answer = http.post("/api/auth/login", json=login).raise_for_status()
        return str(answer.json()["access_token"])

    def _wait(self, look: Callable[[], bool], what: str, within: float = 120.0) -> None:
        deadline = time.monotonic() + within * slow()
        while True:
            try:
                if look():
                    return
            except httpx.HTTPError:
                pass
            if time.monotonic() > deadline:
                raise LabError(f"Waited {within * slow():.0f} s for {what}.")
            time.sleep(0.02)


def _post() -> StoredPost:
    post = new_post(FIRST_USER + secrets.randbelow(500), "scaling", "x" * 200, [], None, now())
    return {**post, "_id": ObjectId()}


def _with_event() -> StoredPost:
    post = _post()
    return new_with_event(post, put_event("post.created", post, post["created_at"], TRACE))


def main(arguments: Sequence[str]) -> None:
    """Measure with the numbers in `arguments`, or with 1, 2, 3 and 6; print one line of JSON for each."""
    scaling = Scaling(chosen(Home.from_environment()))
    for count in map(int, arguments) if arguments else STEPS:
        row: Mapping[str, Any] = asdict(scaling.row(count))
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
