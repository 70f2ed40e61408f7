"""Relays that are killed, and two at the same time."""

import time
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from bson import ObjectId
from grading.databases import POSTS, at_once, mongodb
from grading.outcome import require
from grading.people import Person
from grading.plugin import check
from grading.system import backend, eventually
from grading.topic import RELAY, listening, nothing_lost_or_mixed_up, own_relays, second_relay
from pymongo import MongoClient

from lab.course.exercise import Exercise
from lab.course.running import is_waiting
from lab06_events.posts import change, write


@check(points=3)
@pytest.mark.disturbs
def test_killed_between_publishing_and_marking(ada: Person, lab: Exercise) -> None:
    """A relay that dies after publishing and before marking loses nothing; a repeat has the same id"""
    did = "killed the relay when it had published an event and could not mark it yet"
    with listening() as topic, mongodb() as client:
        with own_relays(lab) as relays:
            post = write(ada)
            with client.start_session() as session:
                session.start_transaction()
                try:
                    # A document that a transaction holds can be read by others, and not written.
                    held = {"$set": {"held": True}}
                    client[POSTS][POSTS].update_one({"_id": ObjectId(post)}, held, session=session)
                    relays.begin()
                    eventually(lambda: topic.of(post), within=15, what="the relay to publish an event")
                    relays.kill()
                    _forget_waiting_writes(client)
                finally:
                    session.abort_transaction()
        change(ada, post)
        topic.wait_for_all({post: 2}, within=20)
        nothing_lost_or_mixed_up(topic, {post: 2}, did)


def _forget_waiting_writes(client: MongoClient[dict[str, Any]]) -> None:
    """What the dead relay still asks of the document is not done."""
    for operation in client.admin.command("currentOp", ns=f"{POSTS}.{POSTS}")["inprog"]:
        if operation.get("op") in ("update", "command", "remove") and operation.get("active"):
            with suppress(Exception):  # it may be over by now
                client.admin.command("killOp", op=operation["opid"])


@check(points=4)
@pytest.mark.disturbs
def test_killed_ten_times(ada: Person, bob: Person, lab: Exercise, rng: Random) -> None:
    """The relay is killed ten times at random: nothing lost, nothing out of order, one id for each"""
    wanted: dict[str, int] = {}
    with listening() as topic:
        with own_relays(lab) as relays:
            for post in at_once(8, lambda n: write((ada, bob)[n % 2])):
                wanted[post] = 1
            mine = list(wanted)
            for _ in range(10):

                def three_changes(number: int) -> None:
                    for _ in range(3):
                        change((ada, bob)[number % 2], mine[number])

                at_once(8, three_changes)
                wanted = {post: version + 3 for post, version in wanted.items()}
                end = topic.end()
                relays.begin()
                eventually(lambda e=end: topic.end() > e, within=15, what="the relay to publish something")  # type: ignore[misc]
                time.sleep(rng.random() * 0.02)  # anywhere in its work
                relays.kill()
        topic.wait_for_all(wanted, within=30)
        nothing_lost_or_mixed_up(
            topic, wanted, "changed 8 posts 30 times each, and killed the relay ten times"
        )


@check(points=2)
@pytest.mark.disturbs
def test_one_relay_at_a_time(ada: Person, lab: Exercise) -> None:
    """Of two relays only one publishes"""
    did = "started a second relay beside the first, and wrote 8 posts with 5 changes each"
    with listening() as topic, second_relay(lab) as second:
        eventually(lambda: second.connected() or is_waiting(backend, RELAY), within=15, what="a second relay")

        def six(number: int) -> str:
            post = write(ada)
            for _ in range(5):
                change(ada, post)
            return post

        wanted = dict.fromkeys(at_once(8, six), 6)
        topic.wait_for_all(wanted, within=40)
        doubled = sum(max(0, len(topic.of(post)) - 6) for post in wanted)
        require(
            doubled == 0,
            did,
            expected="48 events, each once",
            saw=f"{doubled} more",
            means="Two relays that work at the same time publish events twice and in the wrong order."
            " `drain` in relay.py has to ask `self._lease.held()` before each `_publish`.",
        )
        nothing_lost_or_mixed_up(topic, wanted, did)
