"""The outbox: the events of a post, kept in the post's own document until they are published.

MongoDB writes one document in one step, so a change and its event are stored together: there is no
moment in which one is stored and the other is not. The relay publishes from here.
Source of the idea: https://microservices.io/patterns/data/transactional-outbox.html
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict
from uuid import NAMESPACE_URL, uuid4, uuid5

from bson import ObjectId
from pymongo import UpdateOne
from pymongo.collection import Collection

from civildiy.contracts.posts.envelope import (
    SCHEMA_VERSION,
    SOURCE,
    Data,
    PostData,
    PostEvent,
    PostPut,
    PostRemoved,
    Put,
    encode,
)
from civildiy.posts.document import (
    ChangedFields,
    LastEvent,
    ParkedEvent,
    PendingEvent,
    PostContent,
    Query,
    StoredPost,
    Update,
)

MAX_WAITING = 100
"""Events one post may hold while Kafka is down; far below MongoDB's 16 MB for a document."""


def put_event(kind: Put, post: PostContent, time: datetime, traceparent: str) -> PostPut:
    """Return the event that states what `post` looks like after a change.

    `post` is the document in its new state: `_id` (ObjectId), `user_id`, `version` (int), `title`, `content`,
    `tags` (list of str), `created_at`, `updated_at`, `expires_at` (datetime or None). `time` is the time of
    the change; `traceparent` comes from the request. Each call makes a new event id with `str(uuid4())`.

    Build `PostPut(**_attributes(...), type=kind, schemaversion=SCHEMA_VERSION, data=PostData(...))`; the
    data holds `post_id` as text, `str(post["_id"])`. `deleted_event` below has the same form.
    Example: `put_event("post.updated", post, time, trace).postversion == post["version"]`.
    """
    raise NotImplementedError("Lab 06, step 1: write put_event")


def deleted_event(post: PostContent, time: datetime, traceparent: str) -> PostRemoved:
    """Return the event that states that the author deleted `post`."""
    post_id = str(post["_id"])
    return PostRemoved(
        **_attributes(str(uuid4()), post_id, time, post["version"], traceparent),
        type="post.deleted",
        schemaversion=SCHEMA_VERSION,
        data=Data(post_id=post_id, user_id=post["user_id"]),
    )


def expired_event(post: PostContent, traceparent: str) -> PostRemoved:
    """Return the event for a post that MongoDB removed at its expiry; `post` is its last state.

    Its id is calculated from the post's id, so two reports of one expiry are the same event.
    """
    post_id = str(post["_id"])
    event_id = str(uuid5(NAMESPACE_URL, f"{SOURCE}/{post_id}/expired"))
    # A post without an expiry was removed by hand in the database; the feed must lose it as well.
    time = post["expires_at"] or post["updated_at"]
    return PostRemoved(
        **_attributes(event_id, post_id, time, post["version"] + 1, traceparent),
        type="post.expired",
        schemaversion=SCHEMA_VERSION,
        data=Data(post_id=post_id, user_id=post["user_id"]),
    )


def _attributes(
    event_id: str, post_id: str, time: datetime, version: int, traceparent: str
) -> dict[str, Any]:
    """Return the fields of the envelope that all events have, as keyword arguments for an event class.

    Keys: `specversion` "1.0", `id`, `source` (SOURCE), `subject` (the post's id), `time`, `datacontenttype`
    "application/json", `postversion` (the post's version, from 1) and `traceparent`. The event's type, its
    schema version and its data differ from event to event; the caller adds them.
    """
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCE,
        "subject": post_id,
        "time": time,
        "datacontenttype": "application/json",
        "postversion": version,
        "traceparent": traceparent,
    }


def entry(event: PostEvent) -> PendingEvent:
    """Return a pending event as the outbox stores it: its id and its JSON, which is sent unchanged."""
    return {"id": event.id, "body": encode(event)}


def new_with_event(post: StoredPost, event: PostEvent) -> StoredPost:
    """Return the document to insert: the new post, its event as the only entry of `outbox`, and `_owing`.

    Example: `new_with_event(post, event)["outbox"] == [entry(event)]`. `post` itself stays unchanged.
    """
    raise NotImplementedError("Lab 06, step 2: write new_with_event")


def change_with_event(fields: ChangedFields, event: PostEvent) -> Update:
    """Return the MongoDB update that sets `fields` and appends `event` to the outbox, in one write.

    `$set` sets the fields and those of `_owing(event)`; `$push` appends `entry(event)` to `outbox`.
    Example: `change_with_event({"title": "new"}, event)["$set"]["title"] == "new"`.
    """
    raise NotImplementedError("Lab 06, step 2: write change_with_event")


class _Steering(TypedDict):
    """The fields of a document that change with each event."""

    settled: bool
    last_event: LastEvent


def _owing(event: PostEvent) -> _Steering:
    """Return the fields that mark a post as having a pending event: `settled` False and `last_event`."""
    last: LastEvent = {"id": event.id, "type": event.type, "time": event.time}
    return {"settled": False, "last_event": last}


@dataclass(frozen=True)
class Waiting:
    """The oldest unpublished event of one post."""

    post_id: ObjectId
    event_id: str
    body: bytes
    deleted: bool = True
    """Whether the post may be deleted, so that this event may be its last one."""


_OWING: Query = {
    "settled": False,
    # Another program's document holds no event to publish, and must not stop the relay.
    "_id": {"$type": "objectId"},
    "outbox": {"$type": "array"},
    "outbox.0.id": {"$type": "string"},
    "outbox.0.body": {"$type": "binData"},
}
"""Filter for `find`: posts that have pending events."""
_HEAD: Query = {"deleted": 1, "outbox": {"$slice": 1}}
"""Projection for `find`: `_id`, `deleted`, and the outbox cut to its first entry."""


class Outbox:
    """The relay's view of the posts collection (blocking client: for the relay's process only)."""

    def __init__(self, posts: Collection[StoredPost]) -> None:
        self._posts = posts

    def heads(self, limit: int) -> list[Waiting]:
        """Return the oldest pending event of each of up to `limit` posts; least recently changed posts first.

        Example: of a post with pending events of versions 3 and 4, only that of version 3 is returned.

        One event per post: the next one is returned only after `mark_sent` or `park` has removed this one,
        which keeps the events of a post in order, even if the relay crashes in between.

        Use `self._posts.find(_OWING, _HEAD, sort=[("updated_at", 1)], limit=limit)`. Each document holds
        `_id`, `deleted` and `outbox`, a list of one entry `{"id": str, "body": bytes}`. `_waiting(document,
        first)` makes a Waiting of a document and that entry. Raises PyMongoError.
        """
        raise NotImplementedError("Lab 06, step 3: write Outbox.heads")

    def mark_sent(self, sent: Sequence[Waiting]) -> None:
        """Remove acknowledged events from the outbox; remove a deleted post whose last event was sent.

        Example: a deleted post whose only pending event is in `sent` is gone afterwards.

        Two calls, in this order: `delete_many` for posts of `sent` that are `deleted` and whose only pending
        event is one of `sent`, then `bulk_write([_taken_out(event), ...], ordered=False)` for each event of
        `sent`. If no event of `sent` has `deleted`, you may leave out the first call: a post that is deleted
        from now on has one more event. A `bulk_write` of an empty list raises, so return at once if `sent` is
        empty. Raises PyMongoError.
        """
        raise NotImplementedError("Lab 06, step 3: write Outbox.mark_sent")

    def park(self, poison: Waiting, reason: str) -> None:
        """Move an event that the broker will never accept from the outbox to the list `parked` of its post.

        Example: `parked` ends with `{"id": "5f0c…", "body": b"{…}", "reason": "too large"}`.

        The entry is `{"id", "body", "reason"}`. Both happen in one write, or a crash could lose the event:
        `bulk_write([_taken_out(poison, [{"$set": {"parked": _appended(parked)}}])])`. Raises PyMongoError.
        """
        raise NotImplementedError("Lab 06, step 3: write Outbox.park")


def _waiting(post: StoredPost, pending: PendingEvent) -> Waiting:
    """Return a pending event together with the id of its post, and whether the post may be deleted."""
    return Waiting(post["_id"], pending["id"], bytes(pending["body"]), post.get("deleted", True))


def _taken_out(waiting: Waiting, also: Sequence[Update] = ()) -> UpdateOne:
    """Return the update that removes one event from its outbox; `settled` becomes True if none is left.

    The update is a list of stages, so that the second one sees the result of the first; `also` adds more.
    """
    others = {"$filter": {"input": "$outbox", "cond": {"$ne": ["$$this.id", waiting.event_id]}}}
    return UpdateOne(
        {"_id": waiting.post_id, "outbox.id": waiting.event_id},
        [{"$set": {"outbox": others}}, {"$set": {"settled": {"$eq": ["$outbox", []]}}}, *also],
    )


def _appended(parked: ParkedEvent) -> Update:
    """Return the expression for the list `parked` with one more entry; a post may not have the list yet."""
    return {"$concatArrays": [{"$ifNull": ["$parked", []]}, [{"$literal": parked}]]}
