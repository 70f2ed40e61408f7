"""The shards of the outbox on a real MongoDB, in a database of its own: each has one relay at a time."""

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from bson import ObjectId
from kafka.errors import UnknownTopicOrPartitionError
from pymongo import MongoClient
from pymongo.database import Database
from support import ENDPOINTS

from civildiy.posts.relay import lease, shards
from civildiy.posts.relay.growth import Growth
from civildiy.posts.relay.shards import LAYOUT, ShardedPosts, Shards, in_shards, read_layout, shard_of

PARTITIONS = 6
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Iterator[Database[Any]]:
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0)
    monkeypatch.setattr(shards, "RENEW_SECONDS", 0)
    with MongoClient[Any](f"mongodb://{ENDPOINTS['mongodb']}", directConnection=True) as client:
        made = client[f"shards_{secrets.token_hex(6)}"]
        yield made
        client.drop_database(made.name)


def relay(database: Database[Any], name: str, partitions: int = PARTITIONS) -> Shards:
    return Shards(database["leases"], name, lambda: partitions)


def numbers(made: Shards) -> set[int]:
    return set(made._held)


def settle(*relays: Shards) -> None:
    for _ in range(4):
        for each in relays:
            each.held()


@pytest.mark.parametrize("partitions", [2, 3, 6, 32])
def test_mongodb_and_python_agree_on_the_shard_of_a_post(database: Database[Any], partitions: int) -> None:
    posts = database["posts"]
    ids = [ObjectId() for _ in range(200)] + [ObjectId("f" * 24), ObjectId("0" * 24)]
    posts.insert_many([{"_id": each} for each in ids])
    posts.insert_many([{"_id": {"of": "another program"}}, {"_id": "text"}, {"_id": 7}])
    seen: list[ObjectId] = []
    for shard in range(partitions):
        mine = ShardedPosts(posts, lambda shard=shard: in_shards({shard}, partitions))  # type: ignore[misc]
        found = [each["_id"] for each in mine.find({"_id": {"$type": "objectId"}})]
        assert {shard_of(str(each), partitions) for each in found} <= {shard}
        seen += found
    assert sorted(seen) == sorted(ids)


def test_one_relay_has_all_shards_and_two_divide_them(database: Database[Any]) -> None:
    first, second, third = (relay(database, name) for name in ("first", "second", "third"))
    settle(first)
    assert numbers(first) == {*range(PARTITIONS)}
    assert first.mine() == {}
    settle(first, second)
    assert len(numbers(first)) == len(numbers(second)) == 3
    settle(first, second, third)
    assert [len(numbers(each)) for each in (first, second, third)] == [2, 2, 2]
    assert numbers(first) | numbers(second) | numbers(third) == {*range(PARTITIONS)}
    second.release()
    settle(first, third)
    assert len(numbers(first)) == len(numbers(third)) == 3
    assert first.leads() != third.leads()


def test_a_look_that_failed_is_made_again(database: Database[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two errors the relay must not take the silence for "works again", and log that each time."""
    monkeypatch.setattr(shards, "RENEW_SECONDS", 60)
    counted = count()

    def partitions() -> int:
        if next(counted) < 2:
            raise UnknownTopicOrPartitionError
        return 1  # with more, the first look only learns that there are more shards

    made = Shards(database["leases"], "first", partitions)
    for _ in range(2):
        with pytest.raises(UnknownTopicOrPartitionError):
            made.held()
    assert made.held()
    assert made.held()
    assert next(counted) == 3, "a look that ended well lasts"


def test_more_relays_than_shards_wait(database: Database[Any]) -> None:
    relays = [relay(database, f"r{number}", partitions=2) for number in range(4)]
    settle(*relays)
    assert sorted(len(numbers(each)) for each in relays) == [0, 0, 1, 1]
    assert [each.held() for each in relays].count(True) == 2


def test_with_one_shard_the_first_to_come_has_it(database: Database[Any]) -> None:
    first, second = relay(database, "z", partitions=1), relay(database, "a", partitions=1)
    settle(first, second)
    assert (numbers(first), numbers(second)) == ({0}, set())
    assert {each["_id"] for each in database["leases"].find()} == {"relay", LAYOUT}


def test_a_relay_that_was_paused_notices_what_it_lost(database: Database[Any]) -> None:
    paused, other = relay(database, "paused"), relay(database, "other")
    settle(paused)
    database["leases"].update_many({"until": {"$exists": True}}, {"$set": {"until": LONG_AGO}})
    settle(other)
    assert numbers(other) == {*range(PARTITIONS)}
    assert not paused.held(), "what it read before must not be published"
    settle(paused, other)
    assert numbers(paused) | numbers(other) == {*range(PARTITIONS)}
    assert not numbers(paused) & numbers(other)


def test_a_lost_shard_is_reported_once_and_the_others_go_on(database: Database[Any]) -> None:
    mine = relay(database, "mine")
    settle(mine)
    taken = {"owner": "other", "process": "p", "until": datetime(2999, 1, 1, tzinfo=UTC)}
    database["leases"].update_one({"_id": "relay-3"}, {"$set": taken})
    assert not mine.held()
    assert mine.held()
    assert numbers(mine) == {0, 1, 2, 4, 5}
    assert "$expr" in mine.mine()


def test_no_relay_has_a_lease_while_the_topic_grows(database: Database[Any]) -> None:
    forgotten = count()
    first, second = relay(database, "first", 1), relay(database, "second", 1)
    first.on_new_layout = lambda: next(forgotten)  # type: ignore[assignment]
    settle(first, second)
    growth = Growth(database["leases"])
    assert growth.keep()
    assert growth.publishing() == 1
    assert not first.held()
    assert next(forgotten) == 1, "the producer that knows the old number was dropped"
    assert not second.held()
    assert growth.publishing() == 0
    growth.finish(PARTITIONS)
    assert read_layout(database["leases"]) == shards.Layout(PARTITIONS, growing=False)
    settle(first, second)
    assert len(numbers(first)) == len(numbers(second)) == 3


def test_a_relay_that_takes_a_lease_late_sees_that_the_topic_grows(
    database: Database[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    late = relay(database, "late", 1)
    growth = Growth(database["leases"])
    real = Shards._take

    def then_grow(self: Shards) -> None:
        real(self)
        growth.keep()  # the tool looked for leases before this one was taken

    settle(late)
    late.release()
    monkeypatch.setattr(Shards, "_take", then_grow)
    assert not late.held()
    assert growth.publishing() == 0


def test_one_tool_at_a_time_and_a_note_that_ends(database: Database[Any]) -> None:
    killed, next_one = Growth(database["leases"]), Growth(database["leases"])
    settle(relay(database, "relay", 1))
    assert killed.keep()
    assert not next_one.keep()
    database["leases"].update_one({"_id": LAYOUT}, {"$set": {"growing_until": LONG_AGO}})
    assert not read_layout(database["leases"]).growing
    assert next_one.keep()
    killed.finish(99)
    killed.cancel()
    assert read_layout(database["leases"]) == shards.Layout(1, growing=True)
    next_one.cancel()
    assert read_layout(database["leases"]) == shards.Layout(1, growing=False)


def test_nothing_is_published_before_the_number_of_partitions_is_known(database: Database[Any]) -> None:
    def down() -> int:
        raise ConnectionError("Kafka does not answer")

    made = Shards(database["leases"], "early", down)
    for _ in range(2):
        with pytest.raises(ConnectionError):
            made.held()
