"""The outbox: the events of a post, kept in the post's own document until they are published.

One document is written in one step, so a change and its event cannot be torn apart: there is no
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
"""Events one post may hold while Kafka is away; far below MongoDB's 16 MB for a document."""


def put_event(kind: Put, post: PostContent, time: datetime, traceparent: str) -> PostPut:
    """The event that says what `post` (a document, already in its new state) looks like now."""
    raise NotImplementedError("Lab 06, step 1: write put_event")


def deleted_event(post: PostContent, time: datetime, traceparent: str) -> PostRemoved:
    """The event that says that the owner removed `post`."""
    post_id = str(post["_id"])
    return PostRemoved(
        **_attributes(str(uuid4()), post_id, time, post["version"], traceparent),
        type="post.deleted",
        schemaversion=SCHEMA_VERSION,
        data=Data(post_id=post_id, user_id=post["user_id"]),
    )


def expired_event(post: PostContent, traceparent: str) -> PostRemoved:
    """The event for a post that MongoDB removed at its expiry; `post` is its last state.

    Its id follows from the post's, so noticing the same expiry twice gives the same event.
    """
    post_id = str(post["_id"])
    event_id = str(uuid5(NAMESPACE_URL, f"{SOURCE}/{post_id}/expired"))
    # Without an expiry somebody removed it by hand in the database: readers lose it all the same.
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
    """The attributes of the envelope; `version` is the post's own number of changes."""
    raise NotImplementedError("Lab 06, step 1: write _attributes")


def entry(event: PostEvent) -> PendingEvent:
    """How an event waits in its post's document: encoded once, sent as it stands."""
    return {"id": event.id, "body": encode(event)}


def new_with_event(post: StoredPost, event: PostEvent) -> StoredPost:
    """The document to insert: a new post together with its first event."""
    raise NotImplementedError("Lab 06, step 2: write new_with_event")


def change_with_event(fields: ChangedFields, event: PostEvent) -> Update:
    """The update to apply: new values of some fields together with the event that says so."""
    raise NotImplementedError("Lab 06, step 2: write change_with_event")


class _Steering(TypedDict):
    """The fields of a document that change with each event."""

    settled: bool
    last_event: LastEvent


def _owing(event: PostEvent) -> _Steering:
    last: LastEvent = {"id": event.id, "type": event.type, "time": event.time}
    return {"settled": False, "last_event": last}


@dataclass(frozen=True)
class Waiting:
    """The oldest unpublished event of one post."""

    post_id: ObjectId
    event_id: str
    body: bytes


_OWING: Query = {
    "settled": False,
    # Somebody else's document is nothing to publish, and must not stop the relay.
    "_id": {"$type": "objectId"},
    "outbox": {"$type": "array"},
    "outbox.0.id": {"$type": "string"},
    "outbox.0.body": {"$type": "binData"},
}
"""The posts with events to publish."""
_HEAD: Query = {"settled": 1, "outbox": {"$slice": 1}}
"""Of these the first event, and little else."""


class Outbox:
    """The relay's view of the posts collection (blocking client: for the relay's process only)."""

    def __init__(self, posts: Collection[StoredPost]) -> None:
        self._posts = posts

    def heads(self, limit: int) -> list[Waiting]:
        """The oldest waiting event of up to `limit` posts, longest untouched posts first.

        One event per post: the next is offered only when this one is marked, which keeps the
        order of each post whatever happens in between.
        """
        raise NotImplementedError("Lab 06, step 3: write Outbox.heads")

    def mark_sent(self, sent: Sequence[Waiting]) -> None:
        """Take acknowledged events out; a deleted post goes with its last one, in one step."""
        raise NotImplementedError("Lab 06, step 3: write Outbox.mark_sent")

    def park(self, poison: Waiting, reason: str) -> None:
        """Set an event aside that the broker will never take, so that it holds up nothing.

        The document keeps it in the list `parked`: id, body and the reason.
        """
        raise NotImplementedError("Lab 06, step 3: write Outbox.park")


def _taken_out(waiting: Waiting, also: Sequence[Update] = ()) -> UpdateOne:
    others = {"$filter": {"input": "$outbox", "cond": {"$ne": ["$$this.id", waiting.event_id]}}}
    return UpdateOne(
        {"_id": waiting.post_id, "outbox.id": waiting.event_id},
        [{"$set": {"outbox": others}}, {"$set": {"settled": {"$eq": ["$outbox", []]}}}, *also],
    )


def _appended(parked: ParkedEvent) -> Update:
    return {"$concatArrays": [{"$ifNull": ["$parked", []]}, [{"$literal": parked}]]}
