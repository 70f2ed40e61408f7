"""Reader of the topic of posts outside any consumer group: from an offset on, without missing a record."""

import time
from collections.abc import Iterator, Sequence
from types import TracebackType

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaTimeoutError, UnknownTopicOrPartitionError

from civildiy.chassis.clients.kafka import admin, reader
from civildiy.contracts.posts.envelope import POSTS_TOPIC

POLL_MS = 1_000
POSITION_MS = 5_000
"""A busy broker may take this long to tell where a partition begins."""
SILENT_SECONDS = 15.0
"""After this time without a record that must be there, the reader treats Kafka as unavailable."""


class RecordsGone(Exception):
    """The topic no longer holds the next record: it was deleted before it was read."""


class Topic:
    """A reader of one partition of a topic (blocking client). Raises KafkaError."""

    def __init__(self, bootstrap: str, name: str = POSTS_TOPIC, partition: int = 0) -> None:
        self.partition = TopicPartition(name, partition)
        self._consumer: KafkaConsumer = reader(bootstrap)
        self._consumer.assign([self.partition])
        self.position = 0
        """Offset of the next record to read."""

    def __enter__(self) -> "Topic":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()

    def first(self) -> int:
        """Return the offset of the oldest record that still exists."""
        return int(self._consumer.beginning_offsets([self.partition])[self.partition])

    def end(self) -> int:
        """Return the offset that the next record will get."""
        return int(self._consumer.end_offsets([self.partition])[self.partition])

    def seek(self, offset: int) -> None:
        """Continue at `offset`. Raises RecordsGone."""
        if offset < (first := self.first()):
            raise RecordsGone(f"offset {offset} of {self.partition.topic} is gone; it begins at {first}")
        self._consumer.seek(self.partition, offset)
        self.position = offset

    def read(self, milliseconds: int) -> Sequence[ConsumerRecord]:
        """Return the next records; wait at most `milliseconds` for one. Raises RecordsGone."""
        records: Sequence[ConsumerRecord] = self._consumer.poll(milliseconds).get(self.partition, ())
        following = records[-1].offset + 1 if records else self._passed()
        reached = records[0].offset if records else following
        # The client jumps over deleted records by itself; nobody here may miss one unnoticed. It also jumps
        # over what a transaction leaves in the log, which is no record.
        if reached > self.position and (first := self.first()) > self.position:
            raise RecordsGone(f"{self.partition.topic} lost the records before {first}")
        self.position = max(self.position, following)
        return records

    def _passed(self) -> int:
        """Where the client stands after a poll without a record."""
        return int(self._consumer.position(self.partition, timeout_ms=POSITION_MS) or 0)

    def until(self, end: int) -> Iterator[ConsumerRecord]:
        """Yield all records from the present position up to, but not including, offset `end`.

        Raises RecordsGone, and KafkaTimeoutError when none comes for SILENT_SECONDS.
        """
        heard = time.monotonic()
        while self.position < end:
            before = self.position
            for record in self.read(POLL_MS):
                if record.offset < end:
                    yield record
            if self.position > before:
                heard = time.monotonic()
            elif time.monotonic() - heard > SILENT_SECONDS:
                name = self.partition.topic
                raise KafkaTimeoutError(f"no record {before} of {name} came in {SILENT_SECONDS:g} s")


def count_partitions(bootstrap: str, name: str = POSTS_TOPIC) -> int:
    """Return the number of partitions of a topic. Raises KafkaError, also when there is no such topic."""
    broker = admin(bootstrap, request_timeout_ms=5_000)
    try:
        described = broker.describe_topics([name])
        found = [len(topic["partitions"]) for topic in described if topic["name"] == name]
        if not found or not found[0]:
            raise UnknownTopicOrPartitionError(f"there is no topic {name}")
        return found[0]
    finally:
        broker.close()
