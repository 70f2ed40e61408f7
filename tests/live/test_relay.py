"""The parts of the relay on a real MongoDB, in a separate database: outbox, change streams, lease."""

import secrets
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import ObjectId
from pymongo import MongoClient
from pymongo.database import Database
from support import ENDPOINTS

from civildiy.contracts.posts.envelope import PostEvent, PostRemoved
from civildiy.posts.document import StoredPost, changed
from civildiy.posts.relay import lease, pace
from civildiy.posts.relay.change_streams import Changes
from civildiy.posts.relay.lease import Lease
from civildiy.posts.relay.outbox import (
    Outbox,
    deleted_event,
    entry,
    expired_event,
    new_with_event,
    put_event,
)
from civildiy.posts.relay.pace import PAUSE_SECONDS, PacedOutbox

TRACE = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"
TIME = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def database() -> Iterator[Database[Any]]:
    with MongoClient[Any](
        f"mongodb://{ENDPOINTS['mongodb']}", directConnection=True, tz_aware=True
    ) as client:
        made = client[f"relay_{secrets.token_hex(6)}"]
        made.create_collection("posts", changeStreamPreAndPostImages={"enabled": True})
        yield made
        client.drop_database(made.name)


def post(version: int = 1) -> StoredPost:
    return {
        "_id": ObjectId(), "user_id": 7, "title": "t", "content": "c", "tags": [], "created_at": TIME,
        "updated_at": TIME, "expires_at": None, "version": version, "deleted": False,
    }  # fmt: skip


def stored(database: Database[Any], count: int = 1) -> list[ObjectId]:
    """Create posts with an empty outbox, and return their ids."""
    made = [post() for _ in range(count)]
    documents = [new_with_event(one, put_event("post.created", one, TIME, TRACE)) for one in made]
    settled = [document | {"outbox": [], "settled": True} for document in documents]
    return list(database["posts"].insert_many(settled).inserted_ids)


def test_a_deleted_post_goes_in_one_step_with_its_last_event(database: Database[Any]) -> None:
    posts, gone = database["posts"], changed(post(2), {"deleted": True})
    events: list[PostEvent] = [put_event("post.created", gone, TIME, TRACE), deleted_event(gone, TIME, TRACE)]
    outbox = Outbox(posts)
    with posts.watch() as stream:
        posts.insert_one(new_with_event(gone, events[0]) | {"outbox": [entry(event) for event in events]})
        for _ in events:
            outbox.mark_sent(outbox.heads(10))
        seen = [next(stream)["operationType"] for _ in range(3)]
    assert seen == ["insert", "update", "delete"]
    assert posts.count_documents({}) == 0


def test_the_relay_pauses_between_batches_only_under_steady_writes(
    database: Database[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    posts, paused = database["posts"], list[float]()
    monkeypatch.setattr(pace, "sleep", paused.append)
    outbox = PacedOutbox(posts)

    def batch(new: int, limit: int = 10) -> tuple[int, bool]:
        """Write `new` posts and publish a batch; return how many events it held, and if it began late."""
        for _ in range(new):
            one = post()
            posts.insert_one(new_with_event(one, put_event("post.created", one, TIME, TRACE)))
        before = len(paused)
        heads = outbox.heads(limit)
        outbox.mark_sent(heads)
        return len(heads), len(paused) > before

    single = [(1, False), (0, False)]
    assert [batch(new) for new in (1, 0, 1, 0)] == single + single
    steady = [(1, False), (1, False), (3, True), (2, True), (1, True), (0, False)]
    assert [batch(new) for new in (1, 1, 3, 2, 1, 0)] == steady
    backlog = [(2, False), (2, False), (2, False), (1, False), (0, True)]
    assert [batch(new, limit=2) for new in (7, 0, 0, 0, 0)] == backlog
    one = post()
    events = [put_event("post.updated", one, TIME, TRACE) for _ in range(3)]
    posts.insert_one(new_with_event(one, events[0]) | {"outbox": [entry(event) for event in events]})
    assert [batch(0) for _ in range(4)] == [(1, False)] * 3 + [(0, False)]
    assert set(paused) == {PAUSE_SECONDS}


def test_removals_wait_behind_no_writes(database: Database[Any]) -> None:
    posts = database["posts"]
    changes = Changes(posts, database["positions"], lambda: iter(()))
    changes.wait(1)
    changes.removals()
    changes.told()
    expired, *others = stored(database, 300)
    for number in range(2, 12):
        posts.update_many({"_id": {"$in": others}}, {"$set": {"version": number}})
    posts.delete_one({"_id": expired})
    found = until_found(changes)
    assert [event.data.post_id for event in found] == [str(expired)]
    changes.told()
    changes.close()


def test_many_changes_wake_the_relay_a_few_times(database: Database[Any]) -> None:
    """One query of the outbox finds the events of all changes so far, so one wake-up is enough for them."""
    changes = Changes(database["posts"], database["positions"], lambda: iter(()))
    changes.wait(400)  # opens the stream
    stored(database, 200)
    turns, waited = 0, 0.0
    while waited < 0.2:
        began = time.monotonic()
        changes.wait(400)
        waited = time.monotonic() - began
        turns += 1
    assert turns <= 10
    changes.close()


def test_removals_come_again_until_they_are_told(database: Database[Any]) -> None:
    first, second = stored(database, 2)
    changes = Changes(database["posts"], database["positions"], lambda: iter(()))
    changes.removals()
    changes.told()
    for removed in (first, second):
        database["posts"].delete_one({"_id": removed})
        assert [event.data.post_id for event in until_found(changes)] == [str(removed)]
        changes.close()  # as an error or a restart does
        assert [event.data.post_id for event in until_found(changes)] == [str(removed)]
        changes.told()
    changes.close()


def test_a_collection_that_is_gone_is_compared_with_the_topic(database: Database[Any]) -> None:
    searches: list[str] = []

    def search() -> Iterator[Sequence[PostRemoved]]:
        searches.append("")
        yield [expired_event(post(), TRACE)]

    changes = Changes(database["posts"], database["positions"], search)
    assert len(until_found(changes)) == 1  # the first time there is no position either
    changes.wait(1)
    assert not changes.removals()
    changes.told()
    database.drop_collection("posts")
    assert len(until_found(changes)) == 1
    assert len(searches) == 2
    changes.close()


def until_found(changes: Changes) -> list[PostRemoved]:
    """Return the results of `removals`, called as the relay does; fail after 5 s."""
    give_up = time.monotonic() + 5
    while not (found := changes.removals()):
        assert time.monotonic() < give_up, "no removal came"
        changes.wait(100)
    return list(found)


def test_one_process_has_the_lease(database: Database[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0)
    frozen, other = (Lease(database["leases"], "relay", name) for name in ("first", "second"))
    assert frozen.held()
    assert not other.held()
    database["leases"].update_one({}, {"$set": {"until": TIME}})
    assert other.held()
    assert not frozen.held()
    successor = Lease(database["leases"], "relay", "second")
    assert successor.held()
    assert not other.held(), "two of one name"
    successor.release()
    assert frozen.held()
