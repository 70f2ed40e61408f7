"""A projector that the group has lost joins it again; kafka-python alone would poll without a record."""

import secrets
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Event, Thread
from types import SimpleNamespace
from typing import NoReturn

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import NewTopic
from redis import Redis
from support import ENDPOINTS, Person, eventually

from civildiy.chassis.clients.kafka import admin as admin_client
from civildiy.chassis.clients.kafka import group_consumer
from civildiy.chassis.clients.kafka_groups import is_member
from civildiy.contracts.posts.envelope import POSTS_TOPIC
from civildiy.feed.projector.group import DOUBT_SECONDS, GROUP, Broker, Group, NotAMember

SESSION_SECONDS = 6
METADATA_SECONDS = 5


@contextmanager
def joined(group: str, member: str) -> Iterator[KafkaConsumer]:
    """Yield a member of `group` after its partition was assigned."""
    consumer = group_consumer(ENDPOINTS["kafka"], group, member)
    consumer.subscribe([POSTS_TOPIC])
    give_up = time.monotonic() + 15
    while not is_member(ENDPOINTS["kafka"], group, member, POSTS_TOPIC):
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
        within=2 * (SESSION_SECONDS + DOUBT_SECONDS),
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
            asked.append(is_member(ENDPOINTS["kafka"], group, ids[-1], POSTS_TOPIC))
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
                running.join(4 * DOUBT_SECONDS)
        finally:
            stopped.set()
            served.join()
    assert lost.is_set()


@contextmanager
def member_of(group: str, topic: str) -> Iterator[KafkaConsumer]:
    """Yield a member of `group` whose static id is always the same."""
    consumer = group_consumer(ENDPOINTS["kafka"], group, "always-the-same")
    consumer.subscribe([topic])
    try:
        yield consumer
    finally:
        consumer.close()


@pytest.mark.parametrize(
    ("before", "after", "late"),
    [(0, 1, False), (1, 3, False), (1, 3, True), (3, 1, False)],
    ids=["new", "grown before it came back", "grown afterwards", "made again"],
)
def test_a_group_that_has_not_divided_the_topic_as_it_is_begins_again(
    before: int, after: int, late: bool
) -> None:
    """A process that returns soon gets the old assignment, and it never learns that the topic has changed."""
    group = topic = f"test-{secrets.token_hex(4)}"

    def partitions(consumer: KafkaConsumer) -> set[int]:
        consumer.poll(timeout_ms=300)
        return {found.partition for found in consumer.assignment()}

    def settled(consumer: KafkaConsumer, number: int) -> bool:
        mine = partitions(consumer)
        return bool(
            mine == {*range(number)} and admin.describe_groups([group])[group]["group_state"] == "Stable"
        )

    def is_well() -> bool:
        return is_member(ENDPOINTS["kafka"], group, "always-the-same", topic)

    def change() -> None:
        if before > after:
            admin.delete_topics([topic])
            eventually(lambda: topic not in admin.list_topics(), within=10, what="the topic to be gone")
        if 0 < before < after:
            admin.create_partitions({topic: after})
        else:
            admin.create_topics([NewTopic(topic, after, 1)])

    with closing(admin_client(ENDPOINTS["kafka"])) as admin:
        if before:
            admin.create_topics([NewTopic(topic, before, 1)])
        with member_of(group, topic) as early:
            eventually(lambda: settled(early, before), within=15, what="the group to be stable")
            assert is_well()
        if not late:
            change()
        with member_of(group, topic) as later:
            eventually(lambda: settled(later, before), within=15, what="the old assignment to be given again")
            if late:
                change()
            until = time.monotonic() + 2 * METADATA_SECONDS
            while time.monotonic() < until:
                assert partitions(later) == {*range(before)}, "kafka-python has learnt to notice it"
            assert not is_well()
        with member_of(group, topic) as at_last:
            eventually(lambda: settled(at_last, after), within=15, what="all partitions to be given")
            assert is_well()
        admin.delete_topics([topic])


def test_a_projector_asks_once_after_each_change() -> None:
    """Also while it has partitions; and a partition that the topic does not have costs it no time."""
    asked: list[float] = []

    class Silent(Broker):
        def knows_me(self) -> bool:
            asked.append(time.monotonic())
            return len(asked) < 3

    class Turns:
        def __init__(self, number: int) -> None:
            self.number = number

        def begin(self, epoch: str) -> None: ...

        def turn(self, records: object) -> bool:
            turned.add(self.number)
            return True

        def read_again(self) -> None: ...

        def replace(self, epoch: bytes) -> None: ...

    turned: set[int] = set()
    member = Assigned()
    host, port = ENDPOINTS["redis"].split(":")
    with Redis(host=host, port=int(port), db=9) as redis:
        projector = Group(member, redis, Silent(ENDPOINTS["kafka"], "x"), Turns)
        stopped, lost = Event(), Event()
        running = Thread(target=run_until_lost, args=(projector, stopped, lost))
        began = time.monotonic()
        running.start()
        try:
            eventually(lambda: asked, within=2 * DOUBT_SECONDS, what="the first question")
            assert asked[0] - began >= DOUBT_SECONDS
            time.sleep(1.5 * DOUBT_SECONDS)
            assert len(asked) == 1, "nothing has changed"
            member.topic = {0, 1}
            eventually(lambda: len(asked) == 2, within=2 * DOUBT_SECONDS, what="the second question")
            member.given = {0, 1, 2}
            eventually(lost.is_set, within=2 * DOUBT_SECONDS, what="the third question")
        finally:
            stopped.set()
            running.join()
        redis.flushdb()
    assert turned == {0, 1}


class Assigned:
    """A consumer to which the partitions `given` are assigned, of those that the `topic` has."""

    def __init__(self) -> None:
        self.given, self.topic, self._known = {0}, {0}, set[int]()

    def subscribe(self, topics: list[str], listener: Group) -> None:
        self._listener = listener

    def group_metadata(self) -> SimpleNamespace:
        return SimpleNamespace(generation_id=1, member_id="x")

    def assignment(self) -> set[TopicPartition]:
        return {TopicPartition(POSTS_TOPIC, number) for number in self.given}

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {*self.topic}

    def poll(self, timeout_ms: int) -> dict[TopicPartition, list[object]]:
        time.sleep(0.1)
        if self._known != self.given:
            self._known = {*self.given}
            self._listener.on_partitions_assigned([*self.assignment()])
        return {}
