"""Measures the system with 1, 2, 3 and 6 partitions and replicas: `./lab bench --scaling`.

Each number of replicas is measured in turn with a single one, so that other programs on the machine disturb
both alike. Each figure has the processor time that it took, because all replicas share the same processors.
It fills the system with its own data and raises the number of partitions for good, so it is for a system that
may be deleted afterwards. It needs the native backend, whose processes it can count.
"""

import json
import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
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
from lab.backends.protocol import Backend
from lab.bench import feed
from lab.bench.processor import seconds as processor_seconds
from lab.bench.scale import make_room
from lab.bench.scaling.replicas import replicas
from lab.bench.wrk import refuse_missing, wrk
from lab.deadlines import slow
from lab.errors import LabError
from lab.probes import local_http
from lab.probes.tools import run_tool
from lab.progress import Progress

STEPS = (1, 2, 3, 6)
UNITS = ("posts", "posts-relay", "feed-projector", "feed")
EVENTS = 3_000
PENDING = 2_000
ROOM = 200_000
"""More posts than all measurements write, also on a faster machine."""
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

    partitions: int
    replicas: int
    load: float
    """Processes that wanted a processor, in the minute before."""
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
        with local_http.client(base_url=self._at["gateway"], timeout=20) as http:
            self._token = feed.person(http)
        self._pids: dict[str, list[int]] = {}

    def grow(self, partitions: int) -> None:
        """Bring the topic to so many partitions. Raises LabError."""
        ran = run_tool(self._backend, "topic-grow", [str(partitions)])
        if ran.code:
            raise LabError(str(ran.answer.get("why") or ran.messages[-1:]))

    def row(self, partitions: int, count: int) -> Row:
        """Measure with so many replicas of each unit. Raises LabError."""
        with ExitStack() as stack:
            every = {unit.name: [unit.pid] for unit in self._backend.units() if unit.pid is not None}
            mine = {unit: stack.enter_context(replicas(self._backend, unit, count)) for unit in UNITS}
            self._pids = every | mine
            self._wait(lambda: self._divided(partitions, count), "projectors and relays to divide the work")
            self._wait(lambda: self._routed(count), "the replicas of posts and feed to be registered")
            return Row(
                partitions,
                count,
                round(os.getloadavg()[0], 1),
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

    def _divided(self, partitions: int, count: int) -> bool:
        with closing(admin(self._at["kafka"])) as broker:
            members = broker.describe_groups([GROUP])[GROUP]["members"]
        shares = [(m["member_assignment"] or {}).get("assigned_partitions") or () for m in members]
        read = sum(len(topic["partitions"]) for share in shares for topic in share)
        valid = {"_id": {"$in": [*map(purpose, range(partitions))]}, "$expr": {"$gt": ["$until", "$$NOW"]}}
        held = [lease["owner"] for lease in self._database["leases"].find(valid)]
        return len(shares) == len({*held}) == count and read == len(held) == partitions

    def _routed(self, count: int) -> bool:
        health = f"{self._at['consul']}/v1/health/service"
        return all(
            len(local_http.get(f"{health}/{name}?passing", timeout=5).json()) == count
            for name in ("posts", "feed")
        )

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


def measure(backend: Backend, rounds: int, progress: Progress) -> list[Row]:
    """Measure with each number of partitions: in each round with one replica, then with as many."""
    if backend.kind != "native":
        raise LabError("Scaling is measured with the native backend, because it counts the processes.")
    refuse_missing()
    make_room(backend.endpoints()["redis"], ROOM)
    scaling = Scaling(backend)
    rows: list[Row] = []
    for partitions in STEPS:
        scaling.grow(partitions)
        for turn in range(rounds):
            for count in sorted({1, partitions}):
                progress.say("scaling", f"partitions: {partitions}, replicas: {count}, round {turn + 1}")
                rows.append(scaling.row(partitions, count))
    progress.done("scaling", f"{rounds} rounds with up to {STEPS[-1]} partitions")
    return rows
