"""The projector: reads the topic and applies each event to the view.

The offset is stored in Redis after the effects of a batch, and then committed to Kafka. The one in Redis
counts: if Redis lost its data, also while this runs, the view is filled again from what Kafka still has.
While Redis is down or full nothing is skipped: the same records are read again until they are applied.
A Projector works on one partition; a topic with more of them has as many Projectors, in one process or in
several (group.py). Blocking clients: this is a process of its own, `python -m civildiy feed-projector`.
"""

import logging
import time
from collections.abc import Sequence

from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from civildiy.chassis.clients.kafka import group_consumer, until_connected
from civildiy.chassis.clients.kafka import producer as kafka_producer
from civildiy.chassis.clients.redis import blocking
from civildiy.chassis.observability import telemetry
from civildiy.chassis.observability.logging import configure_logging
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
from civildiy.contracts.posts.one_partition import OnePartition
from civildiy.feed.projector.dead_letter import fitting, headers_of
from civildiy.feed.projector.group import GROUP, RETRY_SECONDS, Broker, Group, NotAMember
from civildiy.feed.projector.note import ViewSwitched
from civildiy.feed.projector.observed import projection_for
from civildiy.feed.projector.projection import Projection
from civildiy.feed.settings import ProjectorSettings

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.4
"""So often a Projector without records looks whether the view is still the same."""
PARTITION = TopicPartition(POSTS_TOPIC, 0)
"""The partition of this Projector. For a partition other than 0, its consumer translates this name."""


class Projector:
    """Moves the view forward along one partition of the topic."""

    def __init__(
        self, consumer: KafkaConsumer | OnePartition, producer: KafkaProducer, projection: Projection
    ) -> None:
        self._consumer = consumer
        self._producer = producer
        self._projection = projection
        self._must_seek = True
        self._following = 0
        self._buried = -1
        self._looked = float("-inf")

    def begin(self, epoch: str) -> None:
        """Own the partition from now on: claim it under this epoch, and go on where the view ends."""
        self._projection.epoch = epoch
        self._must_seek = True

    def read_again(self) -> None:
        """Go on where the view ends: what was read but not applied must be read again."""
        self._must_seek = True

    def replace(self, epoch: bytes) -> None:
        """Replace the epoch in the view that refused this Projector. Raises RedisError."""
        self._projection.replace(epoch)

    def turn(self, records: Sequence[ConsumerRecord]) -> bool:
        """Apply `records`; return False if the view is another one than before.

        Raises KafkaError, RedisError, and Fenced when another projector owns the partition.
        """
        if self._must_seek:
            self._seek()
            return True
        now = time.monotonic()
        try:
            if records:
                if records[0].offset > self._following:  # the client jumps over what is gone by itself
                    self._warn_of_gap(self._following, self._first())
                self._apply(records)
                self._following = records[-1].offset + 1
                self._looked = now
            elif now - self._looked > LOOK_SECONDS:
                self._projection.expect_same_view()
                self._looked = now
        except ViewSwitched:
            log.warning("the view was rebuilt, emptied or restored: going on at its own offset")
            self._must_seek = True
        return not self._must_seek

    def _first(self) -> int:
        return int(self._consumer.beginning_offsets([PARTITION])[PARTITION])

    def _seek(self) -> None:
        noted = self._projection.next_offset()
        first = self._first()
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

        def projector(number: int, consumer: KafkaConsumer = consumer) -> Projector:
            seen = OnePartition(consumer, number) if number else consumer
            return Projector(seen, producer, projection_for(redis, number))

        try:
            Group(consumer, redis, Broker(bootstrap, member), projector).run(stopped)
        except NotAMember:
            log.warning("the group %s does not know %s any more: joining it again", GROUP, member)
            # Two processes that were given one id take turns, but not as fast as they can.
            stopped.wait(RETRY_SECONDS)
        consumer.close()
    producer.close(timeout=2)
