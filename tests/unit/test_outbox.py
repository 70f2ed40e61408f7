"""The events that the outbox creates."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from bson import ObjectId

from civildiy.contracts.posts.envelope import decode, encode
from civildiy.posts.document import StoredPost, changed
from civildiy.posts.relay.outbox import (
    Outbox,
    change_with_event,
    expired_event,
    new_with_event,
    put_event,
)

TRACE = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"
TIME = datetime(2026, 1, 1, tzinfo=UTC)
POST: StoredPost = {
    "_id": ObjectId(), "user_id": 7, "title": "t", "content": "c", "tags": [], "created_at": TIME,
    "updated_at": TIME, "expires_at": None, "version": 1, "deleted": False,
}  # fmt: skip


def test_a_new_post_owes_its_first_event() -> None:
    event = put_event("post.created", POST, TIME, TRACE)
    document = new_with_event(POST, event)
    assert document["settled"] is False
    assert [waiting["id"] for waiting in document["outbox"]] == [event.id]
    assert decode(document["outbox"][0]["body"]) == event


def test_a_change_adds_its_event_in_the_same_update() -> None:
    event = put_event("post.updated", changed(POST, {"version": 2}), TIME, TRACE)
    update = change_with_event({"version": 2}, event)
    assert update["$set"]["version"] == 2
    assert update["$set"]["settled"] is False
    assert update["$push"]["outbox"]["id"] == event.id


def test_the_same_removal_noticed_twice_is_one_event() -> None:
    expiring = changed(POST, {"expires_at": TIME})
    assert expired_event(expiring, TRACE) == expired_event(expiring, TRACE)


def test_a_post_removed_by_hand_leaves_the_feed_too() -> None:
    event = expired_event(POST, TRACE)
    assert (event.type, event.postversion, event.time) == ("post.expired", 2, TIME)
    assert decode(encode(event)) == event


class Recorded:
    """A collection that records the names of the calls to it, and finds one document."""

    def __init__(self, document: dict[str, Any] | None = None) -> None:
        self.calls: list[str] = []
        self._document = document

    def find(self, *filter_and_projection: object, **options: object) -> list[dict[str, Any] | None]:
        return [self._document]

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments, **options: self.calls.append(name)


@pytest.mark.parametrize(
    ("fields", "calls"),
    [
        ({"deleted": False}, ["bulk_write"]),
        ({"deleted": True}, ["delete_many", "bulk_write"]),
        ({}, ["delete_many", "bulk_write"]),  # a document that another program wrote
    ],
)
def test_documents_are_removed_only_after_a_deletion(fields: dict[str, bool], calls: list[str]) -> None:
    """The removal costs a round trip and a write, and most batches hold no deletion."""
    document = {"_id": ObjectId(), "outbox": [{"id": "1", "body": b"{}"}], **fields}
    posts = Recorded(document)
    outbox = Outbox(cast(Any, posts))
    outbox.mark_sent(outbox.heads(1))
    assert posts.calls == calls
