"""The projector: reads the topic and applies each event to the view.

The offset is stored in Redis after the effects of a batch, and then committed to Kafka. The one in Redis
counts: if Redis lost its data, also while this runs, the view is filled again from what Kafka still has.
While Redis is down or full nothing is skipped: the same records are read again until they are applied.
Blocking clients: this is a process of its own, `python -m civildiy feed-projector`.
"""

import logging
import time
from collections.abc import Callable, Sequence
from threading import Event

from kafka import (
    ConsumerRebalanceListener,
    KafkaConsumer,
    KafkaProducer,
    OffsetAndMetadata,
    TopicPartition,
)
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import FencedInstanceIdError, KafkaError
from redis import Redis
from redis.exceptions import RedisError

from civildiy.chassis.clients.kafka import group_consumer, is_member, until_connected
from civildiy.chassis.clients.kafka import producer as kafka_producer
from civildiy.chassis.clients.redis import blocking
from civildiy.chassis.observability import telemetry
from civildiy.chassis.observability.logging import configure_logging
from civildiy.chassis.retry import FailureLog
from civildiy.chassis.settings import load_settings
from civildiy.chassis.worker import stop_on_signals
from civildiy.contracts.posts.envelope import (
    DEAD_LETTER_TOPIC,
    POSTS_TOPIC,
    PoisonEvent,
    PostEvent,
    UnknownType,
    decode,
)
from civildiy.feed import keys
from civildiy.feed.projector.dead_letter import fitting, headers_of
from civildiy.feed.projector.observed import projection_for
from civildiy.feed.projector.projection import Projection, ViewSwitched
from civildiy.feed.settings import ProjectorSettings

log = logging.getLogger(__name__)

GROUP = "feed-projector"
POLL_MS = 500
RETRY_SECONDS = 0.5
BEAT_SECONDS, ALIVE_SECONDS = 1.0, 5
"""How often the projector reports in Redis that it works, and for how long the report lasts."""
LONELY_SECONDS = 5
"""After this long without a partition the broker is asked whether it still knows this member."""
PARTITION = TopicPartition(POSTS_TOPIC, 0)


class NotAMember(Exception):
    """The group goes on without this consumer, and the consumer does not notice.

    kafka-python stops its heartbeats when the broker refuses its id as fenced, but goes on polling as
    if it were in the group: only a new consumer joins again.
    """


class Projector(ConsumerRebalanceListener):  # type: ignore[misc]
    """Moves the view forward along the topic."""

    def __init__(
        self,
        consumer: KafkaConsumer,
        producer: KafkaProducer,
        projection: Projection,
        redis: Redis,
        still_member: Callable[[], bool],
    ) -> None:
        self._consumer = consumer
        self._producer = producer
        self._projection = projection
        self._redis = redis
        self._still_member = still_member
        self._must_seek = False
        self._following = 0
        self._buried = -1
        self._asked_at = time.monotonic()
        self._beat_at = float("-inf")

    def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Go on where the view ends, which Redis knows best."""
        self._must_seek = PARTITION in assigned

    def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Nothing to hand over: the offset is stored after each batch."""

    def run(self, stopped: Event) -> None:
        """Work until `stopped`; trouble with a server is logged once and tried again.

        Raises NotAMember when this consumer will never be given a partition again.
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
                # What was read but not applied must be read again.
                self._must_seek = True
                stopped.wait(RETRY_SECONDS)

    def _turn(self) -> None:
        records = self._consumer.poll(timeout_ms=POLL_MS).get(PARTITION, [])
        if self._must_seek and PARTITION in self._consumer.assignment():
            self._seek()
            return
        at_work = self._is_at_work()
        try:
            if records:
                if records[0].offset > self._following:  # the client jumps over what is gone by itself
                    self._warn_of_gap(
                        self._following, self._consumer.beginning_offsets([PARTITION])[PARTITION]
                    )
                self._apply(records)
                self._following = records[-1].offset + 1
            elif at_work:
                self._projection.expect_same_view()
        except ViewSwitched:
            log.warning("the view was rebuilt, emptied or restored: going on at its own offset")
            self._must_seek = True
            self._beat_at = float("-inf")  # the other view has no heartbeat
        if at_work:
            self._beat()

    def _beat(self) -> None:
        """Report that the projector works; each report costs a round trip, so one a second is enough."""
        if time.monotonic() - self._beat_at >= BEAT_SECONDS:
            self._redis.set(keys.PROJECTOR, "running", ex=ALIVE_SECONDS)
            self._beat_at = time.monotonic()

    def _is_at_work(self) -> bool:
        """Whether the partition is ours. Raises NotAMember if it will never be; the broker is asked."""
        now = time.monotonic()
        if PARTITION in self._consumer.assignment():
            self._asked_at = now
            return True
        if now - self._asked_at > LONELY_SECONDS:
            # Without a partition a member may also just wait: a second projector has nothing to do.
            self._asked_at = now
            if not self._still_member():
                raise NotAMember
        return False

    def _seek(self) -> None:
        noted = self._projection.next_offset()
        first = self._consumer.beginning_offsets([PARTITION])[PARTITION]
        end = self._consumer.end_offsets([PARTITION])[PARTITION]
        # A noted offset beyond the end belongs to a topic that was deleted and created again.
        self._buried = min(self._buried, end - 1)
        start = first if noted is None or noted > end else max(noted, first)
        log.info("going on at offset %s (view: %s, topic: %s to %s)", start, noted, first, end)
        self._warn_of_gap(noted or 0, first)
        self._following = start
        self._consumer.seek(PARTITION, start)
        self._must_seek = False

    def _warn_of_gap(self, wanted: int, first: int) -> None:
        if first > wanted:
            log.warning("the topic begins at %s: what was before comes back with ./lab rebuild", first)

    def _apply(self, records: Sequence[ConsumerRecord]) -> None:
        """Decode a batch, apply what can be applied, and then commit the offset after its last record.

        Example: records 40 and 42 are events and 41 is poison. Both events are applied with `following` 43.

        `decode(record.value)` returns a PostEvent. It raises UnknownType (count the record as skipped and
        log it) or PoisonEvent (count it as dead and `_bury` it with `str(error)`). Then call
        `self._projection.apply(events, following, skipped, dead)`, and only after it
        `self._consumer.commit({PARTITION: OffsetAndMetadata(following, "", -1)})`, where `following` is the
        last offset plus 1. Errors of Redis and Kafka go up to `run`, which reads the same records again.
        """
        events: list[PostEvent] = []
        skipped = dead = 0
        for record in records:
            try:
                events.append(decode(record.value))
            except UnknownType as unknown:
                skipped += 1
                log.info("skipped offset %s: unknown event type %s", record.offset, unknown)
            except PoisonEvent as poison:
                dead += 1
                self._bury(record, str(poison))
        following = records[-1].offset + 1
        self._projection.apply(events, following, skipped, dead)
        self._consumer.commit({PARTITION: OffsetAndMetadata(following, "", -1)})

    def _bury(self, record: ConsumerRecord, reason: str) -> None:
        """Publish a record that can never be applied to the dead letter topic, once.

        Example: record 41 is published once, even if its batch is read again: `self._buried` is 41 then.

        `fitting(record, reason)` returns its key (bytes or None), value (bytes) and reason (a string), cut to
        the size that the topic accepts. `headers_of(record, reason)` makes the headers from this reason.
        `self._producer.send(DEAD_LETTER_TOPIC, key=…, value=…, headers=…).get(10)` waits for Kafka's answer,
        and raises KafkaError if none comes. `self._buried` is the last offset that was buried, or -1. Set it
        after the answer; a record whose offset is not above it has been buried already.
        """
        if record.offset <= self._buried:
            return  # the effects of its batch failed, and it was read again
        key, value, reason = fitting(record, reason)
        log.error("offset %s goes to %s: %s", record.offset, DEAD_LETTER_TOPIC, reason)
        headers = headers_of(record, reason)
        self._producer.send(DEAD_LETTER_TOPIC, key=key, value=value, headers=headers).get(10)
        self._buried = record.offset


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settings = load_settings(ProjectorSettings)
    configure_logging(settings, "feed-projector")
    telemetry.start("feed-projector")
    stopped = stop_on_signals()
    bootstrap, member = settings.kafka_bootstrap, settings.projector_id
    redis = blocking(settings.redis_host, settings.redis_port)
    producer = until_connected(lambda: kafka_producer(bootstrap), stopped)
    if producer is None:
        return
    while not stopped.is_set():
        consumer = until_connected(lambda: group_consumer(bootstrap, GROUP, member), stopped)
        if consumer is None:
            break
        try:
            Projector(
                consumer, producer, projection_for(redis), redis, lambda: is_member(bootstrap, GROUP, member)
            ).run(stopped)
        except NotAMember:
            log.warning("the group %s does not know %s any more: joining it again", GROUP, member)
            # Two processes that were given one id take turns, but not as fast as they can.
            stopped.wait(RETRY_SECONDS)
        consumer.close()
    producer.close(timeout=2)
