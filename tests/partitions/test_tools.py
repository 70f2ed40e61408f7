"""The tools on six partitions: lag, verify, rebuild, redrive, the faults of the topic and a storm."""

import secrets
import time
from pathlib import Path

import pytest
from feed_tools import findings, run, stats
from partitioned import PARTITIONS, consistent, lab, load, view
from redis import Redis
from support import ENDPOINTS, Person, eventually, stopped

from civildiy.chassis.clients.kafka import producer
from civildiy.contracts.posts.envelope import POSTS_TOPIC
from civildiy.feed import keys
from civildiy.operations.other_partitions import BEHIND_IN_ANOTHER, others_of
from civildiy.operations.rebuild import SWITCH
from lab.faults import topic


def written(count: int) -> tuple[Person, list[str]]:
    person = Person()
    posts = [person.post(f"post {number}")["id"] for number in range(count)]
    eventually(lambda: len(person.feed()) == count, within=20, what="the posts in the feed")
    return person, posts


def test_lag_is_counted_in_each_partition() -> None:
    written(1)
    with stopped("feed-projector"):
        person = Person()
        for number in range(40):
            person.post(f"post {number}")
        eventually(lambda: stats()["lag_events"] == 40, within=20, what="a lag of 40")
        found = stats()
        each = found["partitions"]
        assert len(each) == PARTITIONS
        assert sum(one["lag_events"] for one in each) == 40
        assert sum(bool(one["lag_events"]) for one in each) > PARTITIONS / 2
        assert found["lag_seconds"] == max(one["lag_seconds"] for one in each) > 0
        assert found["next_offset"] == sum(one["next_offset"] or 0 for one in each)
        said = lab("lag")
        assert "partition" in said
        assert "behind: 40 events" in said
    eventually(lambda: stats()["lag_events"] == 0, within=30, what="no lag")


def test_the_feed_is_sorted_by_time_over_all_partitions() -> None:
    person, posts = written(30)
    times = [item["timestamp"] for item in person.feed()]
    assert times == sorted(times, reverse=True)
    assert [item["post_id"] for item in person.feed()] == posts[::-1]


def test_verify_finds_what_is_wrong_in_any_partition() -> None:
    _, posts = written(12)
    with view() as redis:
        for post in posts:
            redis.hset(keys.of_post(post), "version", 9)
    found = findings(code=1)
    assert {one["post_id"] for one in found if one["kind"] == "stale"} >= {*posts}
    lab("rebuild")
    consistent()


def test_a_rebuild_under_load_loses_nothing() -> None:
    with load() as made:
        time.sleep(1)
        for _ in range(2):
            assert run("feed-rebuild")["switched"]
            time.sleep(1)
    eventually(made.settled, within=60, what="the feed to show the last version of each post")
    assert made.refused == []
    consistent()


@pytest.mark.parametrize("ahead", [0, 1, 5])
def test_no_switch_while_the_live_view_is_ahead_in_any_partition(ahead: int) -> None:
    from civildiy.contracts.posts.whole_topic import Offsets

    host, _, port = ENDPOINTS["redis"].rpartition(":")
    with Redis(host=host, port=int(port), db=9) as redis:
        redis.flushdb()
        redis.set(keys.REBUILD, "me")
        for number in range(PARTITIONS):
            redis.set(keys.offset_of(number), 101 if number == ahead else 100)
        names = (keys.REBUILD, keys.OFFSET, keys.COUNTERS, keys.PROJECTOR)
        arguments = ("me", 100, 10, *others_of(Offsets((100,) * PARTITIONS)))
        assert redis.eval(BEHIND_IN_ANOTHER + SWITCH, len(names), *names, *arguments) == b"behind"
        redis.flushdb()


def test_dead_letters_of_all_partitions_are_sent_back_once() -> None:
    run("feed-redrive", code=None)
    log = producer(ENDPOINTS["kafka"])
    mark = secrets.token_hex(4)
    for number in range(PARTITIONS):
        log.send(POSTS_TOPIC, key=b"k", value=f"poison {mark} {number}".encode(), partition=number).get(10)
    log.close()

    def waiting() -> list[str]:
        letters = run("feed-redrive", "--dry-run")["waiting"]
        return sorted(one["value"] for one in letters if mark in one["value"])

    wanted = [f"poison {mark} {number}" for number in range(PARTITIONS)]
    eventually(lambda: waiting() == wanted, within=30, what="a dead letter of each partition")
    done = run("feed-redrive", code=1)
    assert done["applied"]
    assert len([one for one in done["dead_again"] if mark in one["value"]]) == PARTITIONS
    run("feed-redrive", code=None)


def test_events_that_come_twice_or_in_reverse_order_change_nothing() -> None:
    written(20)
    before = stats()["counters"]["stale"]
    topic.duplicate(ENDPOINTS["kafka"], 20)
    topic.reorder(ENDPOINTS["kafka"], 20)
    eventually(lambda: stats()["counters"]["stale"] >= before + 40, within=30, what="40 stale events")
    consistent()


def test_a_storm_finds_nothing(tmp_path: Path) -> None:
    lab("storm", "--minutes", "1", "--seed", "6", "--out", str(tmp_path))  # its exit code is the verdict
