"""Several relays on six shards: they divide the leases, and each event is published once, in order."""

import time
from collections.abc import Iterator

import pytest
from partitioned import PARTITIONS, consistent, leases, load, right_on_the_topic
from support import backend, eventually, kill, paused, stopped

from civildiy.posts.relay.lease import LEASE_SECONDS
from civildiy.posts.relay.shards import purpose

SECOND = "posts-relay-2"


def owners() -> dict[str, int]:
    """Return how many leases each relay has that have not expired."""
    found: dict[str, int] = {}
    valid = {"_id": {"$in": [*map(purpose, range(PARTITIONS))]}, "$expr": {"$gt": ["$until", "$$NOW"]}}
    with leases() as collection:
        for lease in collection.find(valid):
            found[lease["owner"]] = found.get(lease["owner"], 0) + 1
    return found


@pytest.fixture(autouse=True)
def second() -> Iterator[None]:
    """Run a second relay, and leave one afterwards."""
    backend.start_unit(SECOND)
    try:
        eventually(lambda: owners() == {"posts-relay": 3, SECOND: 3}, within=30, what="two relays to share")
        yield
    finally:
        backend.stop_unit(SECOND)
        eventually(lambda: owners() == {"posts-relay": 6}, within=40, what="one relay to have all shards")


def test_a_killed_relay_continues_under_load() -> None:
    with load() as made:
        time.sleep(2)
        for unit in ("posts-relay", SECOND):
            kill(unit)
            time.sleep(3)
    eventually(made.settled, within=60, what="the feed to show the last version of each post")
    assert made.refused == []
    right_on_the_topic(made)
    consistent()


def test_a_relay_that_is_gone_is_replaced_and_one_that_was_paused_steps_back() -> None:
    with load() as made:
        time.sleep(1)
        with paused("posts-relay"):
            alone = LEASE_SECONDS + 15
            eventually(lambda: owners() == {SECOND: 6}, within=alone, what="the other to take all")
        eventually(lambda: owners() == {"posts-relay": 3, SECOND: 3}, within=30, what="both to share again")
    eventually(made.settled, within=60, what="the feed to show the last version of each post")
    assert made.refused == []
    right_on_the_topic(made)
    consistent()


def test_a_stopped_relay_leaves_its_shards_at_once() -> None:
    with stopped("posts-relay"):
        eventually(lambda: owners() == {SECOND: 6}, within=5, what="the other to take all")
        with load(writers=1, posts=10) as made:
            time.sleep(2)
        eventually(made.settled, within=30, what="the feed to show the last version of each post")
