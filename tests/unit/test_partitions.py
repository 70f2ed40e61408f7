"""Positions in a topic with several partitions, and how the statistics and the tools show them."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from kafka import OffsetAndMetadata, TopicPartition

from civildiy.contracts.posts.envelope import POSTS_TOPIC
from civildiy.contracts.posts.one_partition import FIRST, OnePartition, OnePartitionReader
from civildiy.contracts.posts.topics import TOPICS
from civildiy.contracts.posts.whole_topic import Offsets
from civildiy.feed import keys
from civildiy.feed.progress import _noted
from civildiy.feed.schemas import Counters, Lag, Stats, TopicLag, TopicStats, of_partitions
from civildiy.operations.other_partitions import by_partition, first_of, others_of
from lab.health import topics
from lab.storm.evidence import next_offsets

REAL = TopicPartition(POSTS_TOPIC, 4)


def stats(lag: Lag | None) -> Stats:
    return Stats(
        global_activity_count=1,
        consumer_state="running",
        lag=lag,
        lag_events=lag.events if lag else None,
        lag_seconds=lag.seconds if lag else None,
        next_offset=7,
        counters=Counters(),
    )


def test_a_position_has_reached_another_only_in_every_partition() -> None:
    here = Offsets((5, 0, 9))
    assert here >= Offsets((5, 0, 9))
    assert here >= Offsets((4, 0, 9))
    assert not here >= Offsets((4, 1, 0))
    assert not Offsets((4, 1, 0)) >= here


def test_the_first_partition_has_the_keys_of_a_topic_with_one() -> None:
    assert (keys.offset_of(0), keys.epoch_of(0)) == (keys.OFFSET, keys.EPOCH)
    assert keys.offset_of(3) == "feed:offset:3"
    assert others_of(7) == []
    assert (first_of(7), by_partition(7)) == (7, (7,))
    assert others_of(Offsets((7, 8, 9))) == ["feed:offset:1", 8, "feed:offset:2", 9]


def test_statistics_of_one_partition_look_as_before() -> None:
    lag = Lag(events=1, seconds=0.5)
    assert of_partitions(stats(lag), (7,), lag) == stats(lag)
    assert of_partitions(stats(None), (7,), None) == stats(None)


@pytest.mark.parametrize("known", [True, False])
def test_statistics_name_each_partition_also_without_kafka(known: bool) -> None:
    each = [Lag(events=0, seconds=0.0), Lag(events=2, seconds=1.5), Lag(events=0, seconds=0.0)]
    lag = TopicLag(events=2, seconds=1.5, partitions=each) if known else None
    found = of_partitions(stats(lag), (4, 3), lag)
    assert isinstance(found, TopicStats)
    assert [one.next_offset for one in found.partitions] == ([4, 3, None] if known else [4, 3])
    assert [one.lag_events for one in found.partitions] == ([0, 2, 0] if known else [None, None])
    assert next_offsets(found.model_dump()) == ((4, 3, 0) if known else (4, 3))
    assert next_offsets(stats(lag).model_dump()) == (7,)


def test_only_partitions_with_an_offset_are_known() -> None:
    assert _noted([b"4", None, b"2", None]) == (4, None, 2)
    assert _noted([None, None]) == (None,)


class Consumer:
    """Records what it is asked, in the words of the real partition."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.assigned: set[TopicPartition] = set()

    def commit(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        self.asked.append(dict(offsets))

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.asked.append((partition, offset))

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        self.assigned = set(partitions)

    def assignment(self) -> set[TopicPartition]:
        return self.assigned

    def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {partition: 40 for partition in partitions}

    def poll(self, **_: Any) -> dict[TopicPartition, list[str]]:
        return {REAL: ["mine"], TopicPartition(POSTS_TOPIC, 0): ["another's"]}


def test_code_for_one_partition_works_on_another() -> None:
    consumer = Consumer()
    seen = OnePartition(consumer, 4)
    seen.commit({FIRST: OffsetAndMetadata(9, "", -1)})
    seen.seek(FIRST, 9)
    assert consumer.asked == [{REAL: OffsetAndMetadata(9, "", -1)}, (REAL, 9)]
    assert seen.end_offsets([FIRST]) == {FIRST: 40}


def test_a_shared_reader_reads_the_partition_that_is_asked_for() -> None:
    consumer = Consumer()
    consumer.assign([TopicPartition(POSTS_TOPIC, 2)])
    seen = OnePartitionReader(consumer, 4)
    seen.seek(FIRST, 9)
    assert consumer.assigned == {REAL}
    assert seen.poll() == {FIRST: ["mine"]}


def test_partitions_that_the_relays_do_not_know_are_reported() -> None:
    retention = {topic: str(kept) for topic, kept in TOPICS.items()}
    six = dict.fromkeys(TOPICS, 1) | {POSTS_TOPIC: 6}
    assert [*topics.judge(six, retention, 6)] == []
    (found,) = topics.judge(six, retention, 1)
    assert found.remedy == "./lab partitions 6"
    (found,) = topics.judge(dict.fromkeys(TOPICS, 6), retention, 6)
    assert "posts-events-dlq has 6 partitions" in found.seen
