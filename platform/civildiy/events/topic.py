"""The topic of posts, read outside any group: from an offset on, without missing a record."""

from collections.abc import Iterator, Sequence
from types import TracebackType

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from civildiy.events.clients import reader
from civildiy.events.envelope import POSTS_TOPIC


class RecordsGone(Exception):
    """The topic no longer holds the next record: it was deleted before it was read."""


class Topic:
    """A reader of one topic's only partition (blocking client). Raises KafkaError."""

    def __init__(self, bootstrap: str, name: str = POSTS_TOPIC) -> None:
        self.partition = TopicPartition(name, 0)
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
        """Offset of the oldest record that is still there."""
        return int(self._consumer.beginning_offsets([self.partition])[self.partition])

    def end(self) -> int:
        """Offset that the next record will get."""
        return int(self._consumer.end_offsets([self.partition])[self.partition])

    def seek(self, offset: int) -> None:
        """Read on from `offset`. Raises RecordsGone."""
        if offset < (first := self.first()):
            raise RecordsGone(f"offset {offset} of {self.partition.topic} is gone; it begins at {first}")
        self._consumer.seek(self.partition, offset)
        self.position = offset

    def read(self, milliseconds: int) -> Sequence[ConsumerRecord]:
        """The next records; waits at most `milliseconds` for one. Raises RecordsGone."""
        records: Sequence[ConsumerRecord] = self._consumer.poll(milliseconds).get(self.partition, ())
        if records:
            # The client jumps over deleted records by itself; nobody here may miss one unnoticed.
            if records[0].offset > self.position:
                raise RecordsGone(f"{self.partition.topic} lost the records before {records[0].offset}")
            self.position = records[-1].offset + 1
        return records

    def until(self, end: int) -> Iterator[ConsumerRecord]:
        """All records from the present position up to, and without, offset `end`."""
        while self.position < end:
            for record in self.read(1000):
                if record.offset < end:
                    yield record
