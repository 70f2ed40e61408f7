"""Kafka is down, Kafka refuses, MongoDB ends a query: events stay pending and are published in order."""

import signal
import statistics
import time
from contextlib import suppress

import pytest
from bson import ObjectId
from grading.databases import POSTS, mongodb
from grading.outcome import require
from grading.people import Person
from grading.plugin import check
from grading.refusing_kafka import refusing_as_too_old
from grading.system import backend, eventually, heal, home, missing
from grading.topic import RELAY, listening, nothing_lost_or_mixed_up

from lab.course.running import is_waiting, wait_until_loaded
from lab.deadlines import slow
from lab.errors import LabError
from lab06_events.posts import change, write

AWAY_SECONDS = 5.0


@check(points=4)
@pytest.mark.disturbs
def test_kafka_is_away(ada: Person) -> None:
    """While Kafka is down posts are stored without delay, and their events arrive when it is back"""
    wanted: dict[str, int] = {}
    times: list[float] = []
    with listening() as topic:
        start, before = topic.start, write(ada)
        topic.wait({before: 1})  # so the relay is connected when its broker goes
    backend.stop_unit("kafka")
    try:
        began = time.monotonic()
        while len(wanted) < 20 or time.monotonic() - began < AWAY_SECONDS:
            asked = time.monotonic()
            wanted[write(ada)] = 1
            times.append(time.monotonic() - asked)
            # Twenty a second is enough; the relay needs time for several tries.
            time.sleep(max(0.0, 0.05 - times[-1]))
        first = next(iter(wanted))
        change(ada, first)
        wanted[first] = 2
        with suppress(LabError):  # it may have ended by itself: then it has to be back by itself
            backend.signal(RELAY, signal.SIGKILL)
    finally:
        backend.start_unit("kafka")
        heal()
    median = statistics.median(times)
    did = "stopped Kafka, wrote posts for some seconds, killed the relay, started Kafka"
    require(
        median < 0.1 * slow(),
        did,
        expected="201 in less than 100 ms (median)",
        saw=f"{1000 * median:.0f} ms",
        means="A request waited for Kafka. The request only stores the event in the outbox, and the relay"
        " publishes it. Look at `new_with_event` and `change_with_event` in outbox.py.",
    )
    with listening(start) as topic:
        topic.wait_for_all(wanted, within=20)
        nothing_lost_or_mixed_up(topic, wanted, did)
    eventually(lambda: not missing(), within=60, what="the whole system to be back")


def still_running(began: float, did: str) -> None:
    require(
        wait_until_loaded(home, backend, RELAY) == began and not is_waiting(backend, RELAY),
        did,
        expected="the same relay, still running",
        saw="it ended",
        means="The relay ended because a server failed. `run` in relay.py has to catch KafkaError and"
        " PyMongoError, wait RETRY_SECONDS, and go on.",
    )


@check(points=3)
@pytest.mark.disturbs
def test_kafka_refuses_for_a_while(ada: Person) -> None:
    """While Kafka refuses all records, events stay pending; then all are published in order"""
    settled_before, deleted = write(ada, content="secret words"), write(ada)
    with listening() as topic, mongodb() as client:
        document = client[POSTS][POSTS]
        here = {"_id": ObjectId(settled_before)}
        eventually(lambda: document.count_documents({**here, "settled": True}), within=10, what="its event")
        began = wait_until_loaded(home, backend, RELAY)
        with refusing_as_too_old():
            post = write(ada)
            for _ in range(9):
                change(ada, post)
            change(ada, deleted)
            for gone in (settled_before, deleted):
                ada.http.delete(f"/api/posts/{gone}")
            left = document.find_one(here) or {}
            # Long enough for several tries.
            time.sleep(3)
        did = "let Kafka refuse everything for 3 s (not for what the events say), and changed posts meanwhile"
        wanted = {post: 10}
        topic.wait_for_all(wanted, within=6)
        topic.wait({settled_before: 2, deleted: 3}, within=6)
        still_running(began, did)
        nothing_lost_or_mixed_up(topic, wanted, did)
        last = [max((e.version for e in topic.of(one)), default=0) for one in (settled_before, deleted)]
    require(
        last == [2, 3],
        f"{did}; deleted two of them",
        expected="the events of both removals, versions 2 and 3",
        saw=f"versions {last} as the last ones",
        means="A deleted post may leave MongoDB only after its last event was published. Look at"
        " `mark_sent` in outbox.py.",
    )
    require(
        "secret words" not in str(left),
        f"{did}; deleted a post whose events were published before, and looked into MongoDB at once",
        expected="its text gone",
        saw={name: left.get(name) for name in ("title", "content", "tags", "deleted")},
        means="The text of a deleted post must be gone at once, also while Kafka is down. `delete` in"
        " commands.py empties it in the same write.",
    )


@check(points=2)
@pytest.mark.disturbs
def test_trouble_with_mongodb(ada: Person) -> None:
    """A relay whose query MongoDB ends goes on, and repeats the query"""
    began = wait_until_loaded(home, backend, RELAY)
    ended: list[object] = []
    with listening() as topic, mongodb() as client:
        post = write(ada)
        topic.wait({post: 1})

        def breaks_off() -> bool:
            for operation in client.admin.command("currentOp", ns=f"{POSTS}.{POSTS}")["inprog"]:
                if "$changeStream" in str(operation.get("cursor")) and operation.get("active"):
                    client.admin.command("killOp", op=operation["opid"])
                    ended.append(operation["opid"])
            return bool(ended)

        eventually(lambda: breaks_off() or is_waiting(backend, RELAY), within=10, what="the relay to wait")
        for _ in range(2):
            change(ada, post)
        topic.wait_for_all({post: 3}, within=10)
        did = "wrote a post, broke off the relay's change stream in MongoDB, and changed the post twice"
        still_running(began, did)
        nothing_lost_or_mixed_up(topic, {post: 3}, did)
