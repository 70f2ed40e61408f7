"""From one partition to six while users write: nothing is lost, and no event overtakes another."""

import re

from growing import Growth
from partitioned import PARTITIONS, by_post, consistent, lab, right_on_the_topic
from support import ENDPOINTS

from civildiy.contracts.posts.topic_reader import count_partitions

LONGEST_PAUSE = 20.0


def test_no_request_failed(growth: Growth) -> None:
    assert growth.load.refused == []
    assert len(growth.load.versions) == 60
    assert sum(growth.load.versions.values()) > 100


def test_every_event_is_on_the_topic_in_order(growth: Growth) -> None:
    assert count_partitions(ENDPOINTS["kafka"]) == PARTITIONS
    right_on_the_topic(growth.load)


def test_a_post_moved_once_and_as_a_whole(growth: Growth) -> None:
    moved = 0
    for post, records in by_post().items():
        if post not in growth.load.versions:
            continue
        # The old partition was the first; what is elsewhere came after the growth.
        old = [record.version for record in records if record.partition == 0]
        new = [record.version for record in records if record.partition != 0]
        assert len({record.partition for record in records if record.partition != 0}) <= 1
        assert not old or not new or max(old) < min(new), (post, records)
        moved += bool(old and new)
    assert moved > 20, "the load must span the growth"


def test_another_consumer_saw_no_event_overtake_another(growth: Growth) -> None:
    assert growth.reading.backwards() == []


def test_the_feed_is_right_and_the_pause_short(growth: Growth) -> None:
    consistent()
    paused = float(re.search(r"For ([\d.]+) s no event was published", growth.said)[1])  # type: ignore[index]
    assert paused < LONGEST_PAUSE


def test_a_second_time_changes_nothing_and_fewer_are_refused() -> None:
    assert "Nothing was changed" in lab("partitions", str(PARTITIONS))
