"""A member of the group of projectors: it polls Kafka and gives each partition's records to its lane.

Kafka divides the partitions among the members. This module follows the assignments, and learns when the group
goes on without this member. What is done with the records of a partition is the lane's matter.
"""

import logging
import time
from collections.abc import Callable, Sequence
from threading import Event
from typing import Protocol

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import FencedInstanceIdError, KafkaError
from redis import Redis
from redis.exceptions import RedisError

from civildiy.chassis.clients.kafka_groups import is_member, is_owner
from civildiy.chassis.retry import FailureLog
from civildiy.contracts.posts.envelope import POSTS_TOPIC
from civildiy.feed import keys
from civildiy.feed.projector.note import Fenced

log = logging.getLogger(__name__)

GROUP = "feed-projector"
POLL_MS = 500
RETRY_SECONDS = 0.5
BEAT_SECONDS, ALIVE_SECONDS = 1.0, 5
"""How often a projector reports in Redis that it works, and for how long the report lasts."""
DOUBT_SECONDS = 5
"""The broker is asked after this long without a partition, and so long after a change of the assignment or
of the topic. The group's leader needs as long (`metadata_max_age_ms`) to notice that the topic changed."""


class NotAMember(Exception):
    """The group goes on without this consumer, or not as it should, and the consumer does not notice.

    kafka-python stops its heartbeats when the broker refuses its id as fenced, but goes on polling as
    if it were in the group: only a new consumer joins again.
    """


class Lane(Protocol):
    """What is done with the records of one partition."""

    def begin(self, epoch: str) -> None:
        """Own the partition from now on: claim it under this epoch with the next turn."""

    def turn(self, records: Sequence[ConsumerRecord]) -> bool:
        """Apply records, or look after the view if there are none; return False if it is another view.

        Raises KafkaError, RedisError, and Fenced when another projector owns the partition.
        """

    def read_again(self) -> None:
        """Continue at the offset in the view: what was read and not applied must be read again."""

    def replace(self, epoch: bytes) -> None:
        """Replace the epoch that refused this lane. Raises RedisError."""


class Broker:
    """What the broker says about this member of the group. Raises KafkaError."""

    def __init__(self, bootstrap: str, member: str) -> None:
        self._bootstrap = bootstrap
        self._member = member

    def knows_me(self) -> bool:
        """Return whether this member is in the group, and the group has divided all partitions."""
        return is_member(self._bootstrap, GROUP, self._member, POSTS_TOPIC)

    def gave(self, partition: TopicPartition, process: str) -> bool:
        """Return whether the partition is assigned to this process (the id that the broker gave it)."""
        return is_owner(self._bootstrap, GROUP, process, partition)


class Group(ConsumerRebalanceListener):  # type: ignore[misc]
    """Works on the partitions that are assigned to `consumer`; `lane` makes the lane for a partition."""

    def __init__(
        self, consumer: KafkaConsumer, redis: Redis, broker: Broker, lane: Callable[[int], Lane]
    ) -> None:
        self._consumer = consumer
        self._redis = redis
        self._broker = broker
        self._lane = lane
        self._lanes: dict[TopicPartition, Lane] = {}
        self._assigned: Sequence[TopicPartition] = ()
        """Partitions that were assigned and not begun yet."""
        self._known: set[int] = set()
        """The partitions of the topic."""
        self._asked_at = time.monotonic()
        self._doubtful = True
        """Whether the assignment may be older than the topic: see `civildiy.chassis.clients.kafka_groups`."""
        self._beat_at = float("-inf")

    def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Begin with these partitions in the next turn: here, kafka-python's own thread may be running."""
        self._assigned = tuple(assigned)

    def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Nothing to hand over: the offset is stored after each batch."""

    def run(self, stopped: Event) -> None:
        """Work until `stopped`; trouble with a server is logged once and tried again.

        Raises NotAMember when the group goes on without this consumer.
        """
        self._consumer.subscribe([POSTS_TOPIC], listener=self)
        failures = FailureLog(log, (KafkaError, RedisError))
        while not stopped.is_set():
            try:
                self._turn()
                failures.succeeded()
            except FencedInstanceIdError as error:
                raise NotAMember from error
            except (KafkaError, RedisError) as error:
                failures.failed("events are not applied", error)
                for lane in self._lanes.values():
                    lane.read_again()
                stopped.wait(RETRY_SECONDS)

    def _turn(self) -> None:
        polled = self._consumer.poll(timeout_ms=POLL_MS)
        if self._assigned:
            self._begin()
        existing = self._existing()
        if not self._is_at_work():
            return
        for partition in sorted(self._consumer.assignment()):
            # To ask for the offsets of a partition that does not exist takes until a timeout.
            if partition in self._lanes and partition.partition in existing:
                self._advance(partition, polled.get(partition, ()))
        self._beat()

    def _begin(self) -> None:
        """Begin with the partitions of a new assignment, in the epoch of this generation of the group."""
        me = self._consumer.group_metadata()
        if me.generation_id < 0:
            return  # the group has begun to assign again, and the next turn joins it
        for partition in self._assigned:
            # Lanes are kept when another member has the partition for a while: they know what they buried.
            lane = self._lanes.setdefault(partition, self._lane(partition.partition))
            lane.begin(f"{me.generation_id}:{me.member_id}")
        self._assigned = ()
        self._doubt()

    def _existing(self) -> set[int]:
        """Return the partitions that the topic has, as far as the consumer knows. Raises KafkaError."""
        now: set[int] = self._consumer.partitions_for_topic(POSTS_TOPIC) or set()
        if now != self._known:
            # The leader of the group makes a new assignment. But there may be none (kafka_groups.py).
            self._known = now
            self._doubt()
        return now

    def _doubt(self) -> None:
        """Ask the broker later whether the group has divided the topic as it is."""
        self._asked_at, self._doubtful = time.monotonic(), True

    def _advance(self, partition: TopicPartition, records: Sequence[ConsumerRecord]) -> None:
        lane = self._lanes[partition]
        try:
            if not lane.turn(records):
                self._beat_at = float("-inf")  # the other view has no heartbeat
        except Fenced as fenced:
            # The broker counts the generations from 1 again when it has forgotten the group. Only then does
            # it know this process as the owner, although the view has an epoch that looks later.
            if not self._broker.gave(partition, self._consumer.group_metadata().member_id):
                log.warning("another projector owns partition %s: %s", partition.partition, fenced)
                raise NotAMember from fenced
            lane.replace(fenced.epoch)
            lane.read_again()

    def _beat(self) -> None:
        """Report that the projector works; each report costs a round trip, so one a second is enough."""
        if time.monotonic() - self._beat_at >= BEAT_SECONDS:
            self._redis.set(keys.PROJECTOR, "running", ex=ALIVE_SECONDS)
            self._beat_at = time.monotonic()

    def _is_at_work(self) -> bool:
        """Whether a partition is ours. Raises NotAMember if none will ever be, or if the group lacks some.

        Without a partition a member may also just wait: there may be more projectors than partitions. With
        one, the assignment may be older than the topic. The broker is asked about both.
        """
        now, works = time.monotonic(), bool(self._consumer.assignment())
        if works and not self._doubtful:
            self._asked_at = now
        elif now - self._asked_at > DOUBT_SECONDS:
            self._asked_at = now
            if not self._broker.knows_me():
                raise NotAMember
            self._doubtful = False
        return works
