"""A reader of all partitions of the topic, with the calls of a reader of one.

A position in the whole topic is one offset for each partition. One position has reached another if it has
done so in every partition; of two positions, neither may have reached the other.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from kafka.consumer.fetcher import ConsumerRecord

from civildiy.contracts.posts.envelope import POSTS_TOPIC
from civildiy.contracts.posts.topic_reader import Topic, count_partitions


@dataclass(frozen=True)
class Offsets:
    """A position in the whole topic."""

    by_partition: tuple[int, ...]

    def __ge__(self, other: "Offsets") -> bool:
        """Whether this position has reached the other one in each partition."""
        return all(mine >= its for mine, its in zip(self.by_partition, other.by_partition, strict=True))

    def __str__(self) -> str:
        return ", ".join(map(str, self.by_partition))


class TopicReader(Protocol):
    """What `Topic` and `WholeTopic` have in common. A position is an int, or Offsets."""

    @property
    def position(self) -> Any:
        """The next record to read."""

    def end(self) -> Any:
        """Return the position after all records."""

    def seek(self, offset: Any) -> None:
        """Continue at this position. Raises RecordsGone."""

    def read(self, milliseconds: int) -> Sequence[ConsumerRecord]:
        """Return the next records; wait at most `milliseconds` for one. Raises RecordsGone."""


class WholeTopic:
    """Reads all partitions, the records of each in their order. Raises KafkaError."""

    def __init__(self, topics: Sequence[Topic]) -> None:
        self._topics = topics

    @property
    def position(self) -> Offsets:
        """The next record to read in each partition."""
        return Offsets(tuple(topic.position for topic in self._topics))

    def end(self) -> Offsets:
        """Return the offsets that the next records will get."""
        return Offsets(tuple(topic.end() for topic in self._topics))

    def seek(self, offset: Offsets) -> None:
        """Continue at `offset`. Raises RecordsGone."""
        for topic, place in zip(self._topics, offset.by_partition, strict=True):
            topic.seek(place)

    def read(self, milliseconds: int) -> Sequence[ConsumerRecord]:
        """Return the next records; wait at most `milliseconds` for one. Raises RecordsGone."""
        each = max(milliseconds // len(self._topics), 1)
        return [record for topic in self._topics for record in topic.read(each)]


@contextmanager
def partitions_of(bootstrap: str, name: str = POSTS_TOPIC) -> Iterator[Sequence[Topic]]:
    """Yield a reader for each partition of a topic. Raises KafkaError."""
    with ExitStack() as stack:
        numbers = range(count_partitions(bootstrap, name))
        yield [stack.enter_context(Topic(bootstrap, name, number)) for number in numbers]


def reader_of(topics: Sequence[Topic]) -> TopicReader:
    """Return a reader of these partitions of a topic. A single one is read as it is, with ints."""
    return topics[0] if len(topics) == 1 else WholeTopic(topics)
