"""A projector that lost its partition changes no offset: the fence in Redis, in a database of its own."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from kafka import TopicPartition
from redis import Redis
from state_machines import START, TRACE, document
from support import ENDPOINTS

from civildiy.contracts.posts.envelope import POSTS_TOPIC, PostEvent
from civildiy.feed import keys
from civildiy.feed.projector.group import Broker, Group, NotAMember
from civildiy.feed.projector.note import Fenced, ViewSwitched
from civildiy.feed.projector.projection import Projection
from civildiy.posts.relay.outbox import put_event

OWN_DATABASE = 9
PARTITION = 4


@pytest.fixture
def redis() -> Iterator[Redis]:
    host, _, port = ENDPOINTS["redis"].rpartition(":")
    with Redis(host=host, port=int(port), db=OWN_DATABASE) as made:
        made.flushdb()
        yield made
        made.flushdb()


def projection(redis: Redis, epoch: str) -> Projection:
    made = Projection(redis, PARTITION)
    made.epoch = epoch
    return made


def event(number: int, version: int = 1) -> PostEvent:
    time = START + timedelta(seconds=number)
    kind = "post.created" if version == 1 else "post.updated"
    return put_event(kind, document(f"{number:024x}", 1, version, time), time, TRACE)  # type: ignore[arg-type]


def offset(redis: Redis) -> int:
    return int(redis.get(keys.offset_of(PARTITION)) or 0)


def counters(redis: Redis) -> dict[str, int]:
    found: dict[bytes, bytes] = redis.hgetall(keys.COUNTERS)  # type: ignore[assignment]
    return {name.decode(): int(count) for name, count in found.items()}


def test_a_zombie_stores_no_offset_and_counts_nothing(redis: Redis) -> None:
    zombie, owner = projection(redis, "7:one-a"), projection(redis, "8:two-b")
    assert zombie.next_offset() is None
    zombie.apply([event(1)], 1, 0, 0)
    assert owner.next_offset() == 1
    # The owner has applied nothing yet, so the offset in Redis is still the one that the zombie knows.
    with pytest.raises(Fenced) as refused:
        zombie.apply([event(2)], 2, 0, 0)
    assert refused.value.epoch == b"8:two-b"
    assert (offset(redis), counters(redis)["applied"]) == (1, 1)
    owner.apply([event(2), event(3)], 3, 0, 0)
    assert (offset(redis), counters(redis)) == (3, {"applied": 2, "stale": 1, "skipped": 0, "dead": 0})


def test_a_zombie_cannot_claim_the_partition_again(redis: Redis) -> None:
    zombie, owner = projection(redis, "9:one-a"), projection(redis, "10:two-b")
    zombie.next_offset()
    owner.next_offset()
    with pytest.raises(Fenced):
        zombie.next_offset()
    assert redis.get(keys.epoch_of(PARTITION)) == b"10:two-b"
    owner.apply([event(1)], 1, 0, 0)


def test_a_restarted_projector_has_the_same_generation_and_claims(redis: Redis) -> None:
    before, after = projection(redis, "7:one-a"), projection(redis, "7:one-b")
    before.next_offset()
    before.apply([event(1)], 1, 0, 0)
    assert after.next_offset() == 1
    with pytest.raises(Fenced):
        before.apply([event(2)], 2, 0, 0)


def test_partitions_are_fenced_by_themselves(redis: Redis) -> None:
    mine, other = projection(redis, "7:one-a"), Projection(redis, PARTITION + 1)
    other.epoch = "8:two-b"
    mine.next_offset()
    other.next_offset()
    mine.apply([event(1)], 1, 0, 0)
    other.apply([event(2)], 40, 0, 0)
    assert (offset(redis), int(redis.get(keys.offset_of(PARTITION + 1)) or 0)) == (1, 40)
    assert redis.get(keys.OFFSET) is None


def test_an_emptied_view_is_another_view_and_not_a_fence(redis: Redis) -> None:
    owner = projection(redis, "7:one-a")
    owner.next_offset()
    owner.apply([event(1)], 1, 0, 0)
    redis.flushdb()
    with pytest.raises(ViewSwitched):
        owner.apply([event(2)], 2, 0, 0)
    assert owner.next_offset() is None
    owner.apply([event(1), event(2)], 2, 0, 0)
    assert redis.get(keys.epoch_of(PARTITION)) == b"7:one-a"


class Member:
    """A consumer that has one partition; the test says in which generation."""

    def __init__(self, generation: int) -> None:
        self.generation_id, self.member_id = generation, "one-a"

    def poll(self, **_: Any) -> dict[TopicPartition, list[Any]]:
        return {}

    def assignment(self) -> set[TopicPartition]:
        return {TopicPartition(POSTS_TOPIC, PARTITION)}

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {PARTITION}

    def group_metadata(self) -> "Member":
        return self


class Claiming:
    """A lane that only claims its partition."""

    def __init__(self, mine: Projection) -> None:
        self.mine = mine

    def begin(self, epoch: str) -> None:
        self.mine.epoch = epoch

    def turn(self, records: Sequence[Any]) -> bool:
        self.mine.next_offset()
        return True

    def read_again(self) -> None:
        pass

    def replace(self, epoch: bytes) -> None:
        self.mine.replace(epoch)


class Says(Broker):
    """A broker that knows the member as the owner, or does not."""

    def __init__(self, owner: bool) -> None:
        self.owner = owner

    def gave(self, partition: TopicPartition, process: str) -> bool:
        return self.owner


def group(redis: Redis, generation: int, *, owner: bool) -> Group:
    lane = Claiming(Projection(redis, PARTITION))
    made = Group(Member(generation), redis, Says(owner), lambda number: lane)
    made.on_partitions_assigned([TopicPartition(POSTS_TOPIC, PARTITION)])
    return made


def test_a_member_that_was_overtaken_joins_again(redis: Redis) -> None:
    redis.set(keys.epoch_of(PARTITION), "57:two-b")
    with pytest.raises(NotAMember):
        group(redis, 56, owner=False)._turn()
    assert redis.get(keys.epoch_of(PARTITION)) == b"57:two-b"


def test_a_group_that_counts_from_one_again_replaces_the_epoch(redis: Redis) -> None:
    redis.set(keys.epoch_of(PARTITION), "57:two-b")
    made = group(redis, 1, owner=True)
    made._turn()
    made._turn()
    assert redis.get(keys.epoch_of(PARTITION)) == b"1:one-a"


def test_only_the_epoch_that_refused_is_replaced(redis: Redis) -> None:
    redis.set(keys.epoch_of(PARTITION), "2:three-c")
    late = projection(redis, "1:one-a")
    late.replace(b"57:two-b")
    assert redis.get(keys.epoch_of(PARTITION)) == b"2:three-c"
