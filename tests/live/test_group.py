"""A projector that the group has lost joins it again; kafka-python alone would poll without a record."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import NoReturn

import pytest
from kafka import KafkaConsumer
from kafka.admin import NewTopic
from redis import Redis
from support import ENDPOINTS, Person, eventually

from civildiy.chassis.clients.kafka import admin as admin_client
from civildiy.chassis.clients.kafka import group_consumer, is_member
from civildiy.contracts.posts.envelope import POSTS_TOPIC
from civildiy.feed.projector.group import GROUP, LONELY_SECONDS, Broker, Group, NotAMember

SESSION_SECONDS = 6


@contextmanager
def joined(group: str, member: str) -> Iterator[KafkaConsumer]:
    """Yield a member of `group` after its partition was assigned."""
    consumer = group_consumer(ENDPOINTS["kafka"], group, member)
    consumer.subscribe([POSTS_TOPIC])
    give_up = time.monotonic() + 15
    while not is_member(ENDPOINTS["kafka"], group, member):
        assert time.monotonic() < give_up, f"{member} could not join {group} within 15 s"
        consumer.poll(timeout_ms=300)
    yield consumer
    consumer.close()


def poll_until(consumer: KafkaConsumer, stopped: Event) -> None:
    while not stopped.is_set():
        consumer.poll(timeout_ms=200)


def run_until_lost(projector: Group, stopped: Event, lost: Event) -> None:
    try:
        projector.run(stopped)
    except NotAMember:
        lost.set()


def test_fenced_projector_joins_anew() -> None:
    person = Person()
    with joined(GROUP, "feed-projector") as impostor:
        impostor.poll(timeout_ms=1_000)
    post = person.post("after the impostor")
    eventually(
        lambda: [item for item in person.feed() if item["post_id"] == post["id"]],
        within=2 * (SESSION_SECONDS + LONELY_SECONDS),
        what="the post to be in the feed",
    )


@pytest.mark.thorough
def test_member_without_partition_waits_as_long_as_the_broker_knows_it() -> None:
    group, host = f"test-{secrets.token_hex(4)}", ENDPOINTS["redis"].split(":")
    redis = Redis(host=host[0], port=int(host[1]))
    stopped, lost = Event(), Event()
    ids, asked = ["z-waits"], list[bool]()

    class Asked(Broker):
        def knows_me(self) -> bool:
            asked.append(is_member(ENDPOINTS["kafka"], group, ids[-1]))
            return asked[-1]

    def no_lane(number: int) -> NoReturn:
        raise AssertionError("this member has no partition")

    with joined(group, "a-owner") as owner:
        served = Thread(target=poll_until, args=(owner, stopped))
        served.start()
        try:
            with joined(group, "z-waits") as waiting:
                projector = Group(waiting, redis, Asked(ENDPOINTS["kafka"], ids[0]), no_lane)
                running = Thread(target=run_until_lost, args=(projector, stopped, lost))
                running.start()
                eventually(lambda: asked, within=20, what="the projector to ask for its place")
                assert asked[-1]
                assert not lost.is_set()
                ids.append("never-joined")
                running.join(4 * LONELY_SECONDS)
        finally:
            stopped.set()
            served.join()
    assert lost.is_set()


def test_group_that_shares_out_nothing_is_begun_anew() -> None:
    """A leader that did not know the topic has assigned no partition; the broker keeps that assignment."""
    group = topic = f"test-{secrets.token_hex(4)}"
    admin = admin_client(ENDPOINTS["kafka"])

    def member() -> KafkaConsumer:
        consumer = group_consumer(ENDPOINTS["kafka"], group, "always-the-same")
        consumer.subscribe([topic])
        return consumer

    def settled(consumer: KafkaConsumer) -> bool:
        consumer.poll(timeout_ms=300)
        return bool(admin.describe_groups([group])[group]["group_state"] == "Stable")

    early = member()
    eventually(lambda: settled(early), within=15, what="the group to be stable")
    early.close()
    admin.create_topics([NewTopic(topic, 1, 1)])
    later = member()
    eventually(lambda: settled(later), within=15, what="the group to be stable again")
    assert not later.assignment()
    assert not is_member(ENDPOINTS["kafka"], group, "always-the-same")
    later.close()
    at_last = member()
    eventually(
        lambda: at_last.poll(timeout_ms=300) or at_last.assignment(),
        within=15,
        what="the partition to be given",
    )
    assert is_member(ENDPOINTS["kafka"], group, "always-the-same")
    at_last.close()
    admin.delete_topics([topic])
    admin.close()
