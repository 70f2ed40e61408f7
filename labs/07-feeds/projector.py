"""The projector: reads the topic and applies each event to the view.

The offset is written to Redis together with the effects, and committed to Kafka after them. On
start the one in Redis counts, so a Redis that lost its data is filled again from what Kafka still
has. While Redis is away nothing is skipped: the same records are read again until they are
applied. Blocking clients: this is a process of its own, `python -m civildiy feed-projector`.
"""

import logging
from collections.abc import Sequence
from threading import Event

from kafka import (
    ConsumerRebalanceListener,
    KafkaConsumer,
    KafkaProducer,
    OffsetAndMetadata,
    TopicPartition,
)
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError
from redis import Redis
from redis.exceptions import RedisError

from civildiy.chassis.log import configure_logging
from civildiy.chassis.settings import load_settings
from civildiy.chassis.worker import stop_on_signals
from civildiy.events.clients import group_consumer, until_connected
from civildiy.events.clients import producer as kafka_producer
from civildiy.events.envelope import (
    DEAD_LETTER_TOPIC,
    POSTS_TOPIC,
    PoisonEvent,
    PostEvent,
    UnknownType,
    decode,
)
from civildiy.feed import keys
from civildiy.feed.projection import Projection, ViewSwitched
from civildiy.feed.settings import ProjectorSettings

log = logging.getLogger(__name__)

GROUP = "feed-projector"
POLL_MS = 500
RETRY_SECONDS = 0.5
ALIVE_SECONDS = 5
PARTITION = TopicPartition(POSTS_TOPIC, 0)


class Projector(ConsumerRebalanceListener):  # type: ignore[misc]
    """Moves the view forward along the topic."""

    def __init__(
        self,
        consumer: KafkaConsumer,
        producer: KafkaProducer,
        projection: Projection,
        redis: Redis,
    ) -> None:
        self._consumer = consumer
        self._producer = producer
        self._projection = projection
        self._redis = redis
        self._must_seek = False

    def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Go on where the view ends, which Redis knows best."""
        self._must_seek = PARTITION in assigned

    def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Nothing to hand over: effects and offset are written together."""

    def run(self, stopped: Event) -> None:
        """Work until `stopped`; trouble with a server is logged once and tried again."""
        self._consumer.subscribe([POSTS_TOPIC], listener=self)
        trouble = ""
        while not stopped.is_set():
            try:
                self._turn()
                if trouble:
                    log.info("working again")
                trouble = ""
            except (KafkaError, RedisError) as error:
                if type(error).__name__ != trouble:
                    log.warning("trying again until it works: %s: %s", type(error).__name__, error)
                trouble = type(error).__name__
                # What was read but not applied must be read again.
                self._must_seek = True
                stopped.wait(RETRY_SECONDS)

    def _turn(self) -> None:
        records = self._consumer.poll(timeout_ms=POLL_MS).get(PARTITION, [])
        if self._must_seek and PARTITION in self._consumer.assignment():
            self._seek()
            return
        if records:
            try:
                self._apply(records)
            except ViewSwitched:
                log.info("the view was made anew: going on where it ends")
                self._must_seek = True
        self._redis.set(keys.PROJECTOR, "running", ex=ALIVE_SECONDS)

    def _seek(self) -> None:
        noted = self._projection.next_offset()
        first = self._consumer.beginning_offsets([PARTITION])[PARTITION]
        end = self._consumer.end_offsets([PARTITION])[PARTITION]
        # A noted offset beyond the end belongs to a topic that was made anew.
        start = first if noted is None or noted > end else max(noted, first)
        log.info("going on at offset %s (view: %s, topic: %s to %s)", start, noted, first, end)
        self._consumer.seek(PARTITION, start)
        self._must_seek = False

    def _apply(self, records: Sequence[ConsumerRecord]) -> None:
        raise NotImplementedError("Lab 07, step 4: write Projector._apply")

    def _bury(self, record: ConsumerRecord, reason: str) -> None:
        """Send an event that can never be applied to the dead letters, with the reason."""
        raise NotImplementedError("Lab 07, step 4: write Projector._bury")


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settings = load_settings(ProjectorSettings)
    configure_logging(settings.log_level)
    stopped = stop_on_signals()
    bootstrap = settings.kafka_bootstrap
    consumer = until_connected(lambda: group_consumer(bootstrap, GROUP, settings.projector_id), stopped)
    producer = until_connected(lambda: kafka_producer(bootstrap), stopped)
    if consumer is None or producer is None:
        return
    redis: Redis = Redis(host=settings.redis_host, port=settings.redis_port, socket_timeout=2)
    Projector(consumer, producer, Projection(redis), redis).run(stopped)
    consumer.close()
    producer.close(timeout=2)
