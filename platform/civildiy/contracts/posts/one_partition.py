"""A consumer for code that knows one partition only, as the code for a topic with one partition does."""

from collections.abc import Mapping, Sequence
from typing import Any

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition

from civildiy.contracts.posts.envelope import POSTS_TOPIC

FIRST = TopicPartition(POSTS_TOPIC, 0)


class OnePartition:
    """Passes each call on to `consumer`, where FIRST stands for the partition `number`.

    So the code for one partition works on any of them: it says FIRST and means its own. Raises KafkaError.
    """

    def __init__(self, consumer: KafkaConsumer, number: int) -> None:
        self._consumer = consumer
        self._real = TopicPartition(POSTS_TOPIC, number)

    def commit(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        """Commit the offset of the partition for the consumer's group."""
        self._consumer.commit({self._real: offsets[FIRST]})

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Continue at `offset`."""
        self._consumer.seek(self._real, offset)

    def position(self, partition: TopicPartition, **options: Any) -> int | None:
        """Return the offset of the next record."""
        found: int | None = self._consumer.position(self._real, **options)
        return found

    def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the offset of the oldest record."""
        return {FIRST: self._consumer.beginning_offsets([self._real])[self._real]}

    def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the offset after the newest record."""
        return {FIRST: self._consumer.end_offsets([self._real])[self._real]}


class OnePartitionReader(OnePartition):
    """The same for a consumer outside any group, which several of these share, one at a time."""

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        """Read this partition from now on; the shared consumer gives up the one before."""
        self._consumer.assign([self._real])

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Continue at `offset`, and read no other partition."""
        if self._consumer.assignment() != {self._real}:
            self._consumer.assign([self._real])
        super().seek(partition, offset)

    def poll(self, **options: Any) -> dict[TopicPartition, Sequence[Any]]:
        """Return the next records."""
        return {FIRST: self._consumer.poll(**options).get(self._real, [])}
