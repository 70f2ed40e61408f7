"""The relay: takes events out of the outbox and publishes them to Kafka.

It wakes at each change. It also looks for pending events every second, so a missed wake-up costs time and
not data. It publishes events for posts that MongoDB removed by itself (expiry) too, even under a constant
load of writes. It tries without limit while the broker is down; only an event that the broker will never
accept is parked. An event may be published twice (a crash between publishing and marking), always with the
same id. Blocking clients: this is a process of its own, `python -m civildiy posts-relay`.
"""

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from threading import Event

from kafka import KafkaProducer
from kafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError
from kafka.producer.future import FutureRecordMetadata
from pymongo.errors import PyMongoError

from civildiy.chassis.clients import mongodb
from civildiy.chassis.clients.kafka import producer
from civildiy.chassis.observability import telemetry
from civildiy.chassis.observability.logging import configure_logging
from civildiy.chassis.retry import FailureLog
from civildiy.chassis.settings import load_settings
from civildiy.chassis.worker import stop_on_signals
from civildiy.contracts.posts.envelope import CONTENT_TYPE, POSTS_TOPIC, encode
from civildiy.contracts.posts.topic_reader import count_partitions
from civildiy.posts.relay.change_streams import Changes
from civildiy.posts.relay.lease import Lease
from civildiy.posts.relay.missed_removals import vanished
from civildiy.posts.relay.outbox import Outbox, Waiting
from civildiy.posts.relay.pace import PacedOutbox
from civildiy.posts.relay.shards import Shards
from civildiy.posts.settings import RelaySettings
from civildiy.posts.store import COLLECTION

log = logging.getLogger(__name__)

BATCH = 100
"""Events that are in memory at once. With more, a backlog of the largest posts would need 50 MB more."""
SWEEP_MS = 1000
PUBLISH_SECONDS = 10.0
DRAIN_SECONDS = 1.0
"""Even under a constant load of writes, events of removals wait no longer than this."""
RETRY_SECONDS = 0.5
REFUSED_FOR_EVER = (MessageSizeTooLargeError, RecordListTooLargeError)

Connect = Callable[[], KafkaProducer]
"""Makes a producer. Raises KafkaError while Kafka is down."""


class Relay:
    """Moves events from the outbox to the topic; the events of one post stay in order."""

    def __init__(self, outbox: Outbox, changes: Changes, lease: Lease | Shards, connect: Connect) -> None:
        self._stopped = Event()
        self._outbox = outbox
        self._changes = changes
        self._lease = lease
        self._connect = connect
        self._producer: KafkaProducer | None = None

    def run(self, stopped: Event) -> None:
        """Publish until `stopped` is set, whatever happens to Kafka and MongoDB; never raises for them.

        Keep `stopped` in `self._stopped`, because `drain` reads it. While `self._lease.held()`, call
        `self._turn()`; else wait `SWEEP_MS / 1000` seconds with `stopped.wait(seconds)`. After a KafkaError
        or PyMongoError log a warning (once per kind of error in a row), call `self._changes.close()`, wait
        RETRY_SECONDS, and try again without limit. At the end call `self._changes.close()` and
        `self._forget_producer(timeout=2)`.
        """
        self._stopped = stopped
        failures = FailureLog(log, (KafkaError, PyMongoError))
        while not stopped.is_set():
            try:
                if self._lease.held():
                    self._turn()
                else:
                    stopped.wait(SWEEP_MS / 1000)
                failures.succeeded()
            except (KafkaError, PyMongoError) as error:
                failures.failed("events are not published", error)
                self._changes.close()
                stopped.wait(RETRY_SECONDS)
        self._changes.close()
        self._forget_producer(timeout=2)

    def _turn(self) -> None:
        published = self.drain()
        self._tell_removals()
        if not published:
            self._changes.wait(SWEEP_MS)

    def _tell_removals(self) -> None:
        events = self._changes.removals()
        if not self._lease.held():
            self._changes.close()  # the relay that holds the lease now publishes them
            return
        for told in [self._send(event.subject.encode(), encode(event)) for event in events]:
            told.get(PUBLISH_SECONDS)
        self._changes.told()

    def drain(self) -> int:
        """Publish pending events for about DRAIN_SECONDS at most; return how many were acknowledged.

        Example: 150 posts have a pending event each. It publishes 100, then 50, and returns 150.

        Repeat: read `self._outbox.heads(BATCH)`, stop if there are none, and pass them to `self._publish`.
        Before each `_publish`, stop if `self._stopped.is_set()` or not `self._lease.held()`. Check the
        lease after reading: a relay that was paused in between then notices that another one works. Raises
        KafkaError and PyMongoError.
        """
        published = 0
        ending = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < ending and (heads := self._outbox.heads(BATCH)):
            if self._stopped.is_set() or not self._lease.held():
                break
            published += self._publish(heads)
        return published

    def _publish(self, heads: Sequence[Waiting]) -> int:
        """Send one event of each post, wait for the broker, and mark what it acknowledged; return how many.

        Example: the broker acknowledges two of three events and refuses the third for ever: it returns 2.

        `self._send(key, value)` takes two `bytes`, here `str(head.post_id).encode()` and `head.body`, and
        returns a future. Send all, then call `future.get(PUBLISH_SECONDS)` for each. It returns when the
        broker has acknowledged the record, and raises a KafkaError otherwise, also after that many seconds:

        - one of REFUSED_FOR_EVER: the broker will never accept it. `self._outbox.park(head, str(error))`.
        - any other KafkaError: keep it, go on with the other futures, and raise it after `mark_sent`.
        """
        futures = [(head, self._send(str(head.post_id).encode(), head.body)) for head in heads]
        sent: list[Waiting] = []
        failure: KafkaError | None = None
        for head, future in futures:
            try:
                future.get(PUBLISH_SECONDS)
            except REFUSED_FOR_EVER as error:
                log.error("event %s of post %s is parked: %s", head.event_id, head.post_id, error)
                self._outbox.park(head, str(error))
            except KafkaError as error:
                failure = error
            else:
                sent.append(head)
        self._outbox.mark_sent(sent)
        if failure is not None:
            raise failure
        return len(sent)

    def _send(self, key: bytes, value: bytes) -> FutureRecordMetadata:
        """Hand a record to the producer; `get(seconds)` of the result waits for the acknowledgement."""
        if self._producer is None:
            self._producer = self._connect()
        return self._producer.send(POSTS_TOPIC, key=key, value=value, headers=[CONTENT_TYPE])

    def _forget_producer(self, timeout: float) -> None:
        if self._producer is not None:
            self._producer.close(timeout=timeout)
            self._producer = None


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settings = load_settings(RelaySettings)
    configure_logging(settings, "posts-relay")
    telemetry.start("posts-relay")
    stopped = stop_on_signals()
    client = mongodb.blocking(settings.mongodb_url)
    database = client[settings.mongodb_database]
    posts = database[COLLECTION]
    kafka = settings.kafka_bootstrap
    shards = Shards(database["leases"], settings.relay_id, partial(count_partitions, kafka))
    search = partial(vanished, kafka, posts)
    changes = Changes(posts, database["positions"], search, shards.leads)
    # To the outbox and the relay, some shards look like all posts, and their leases like one.
    relay = Relay(PacedOutbox(shards.of(posts)), changes, shards, partial(producer, kafka))
    # The present producer may not know all partitions of the topic.
    shards.on_new_layout = partial(relay._forget_producer, timeout=2)
    relay.run(stopped)
    shards.release()
    client.close()
