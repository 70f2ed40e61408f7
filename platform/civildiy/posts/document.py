"""A post as MongoDB stores it: one type, and the rules about its fields.

Commands decide on a `StoredPost`, the store writes it, and the outbox keeps its pending events in it. So a
change of a post and the event about that change are one write to one document. Three fields steer what
happens next:

- `outbox` holds the events that the relay has not published yet, oldest first.
- `settled` is true when the outbox is empty. Only then may MongoDB remove an expired post.
- `deleted` marks a post that its author deleted, until its last event is published.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, NotRequired, TypedDict

from bson import ObjectId

from civildiy.contracts.posts.envelope import Put

Query = dict[str, Any]
"""A filter in MongoDB's query language."""
Update = Mapping[str, Any]
"""A change in MongoDB's update language, such as `{"$set": …}`."""


class PendingEvent(TypedDict):
    """An event that waits in the outbox of its post; `body` is the encoded event, sent as it is."""

    id: str
    body: bytes


class ParkedEvent(PendingEvent):
    """An event that the broker will never accept, and why."""

    reason: str


class LastEvent(TypedDict):
    """The newest event of a post: enough to write the same event again."""

    id: str
    type: Put | Literal["post.deleted", "post.expired"]
    time: datetime


class PostContent(TypedDict):
    """What readers and events get to know of a post."""

    _id: ObjectId
    user_id: int
    title: str
    content: str
    tags: list[str]
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    version: int
    """Number of the author's changes, from 1; each change has one event with the same number."""


class StoredPost(PostContent):
    """The document of a post. A read returns only the fields that it asks for."""

    deleted: bool
    settled: NotRequired[bool]
    last_event: NotRequired[LastEvent]
    outbox: NotRequired[list[PendingEvent]]
    parked: NotRequired[list[ParkedEvent]]


class ChangedFields(TypedDict, total=False):
    """The fields that a change of a post may set."""

    title: str
    content: str
    tags: list[str]
    expires_at: datetime | None
    updated_at: datetime
    version: int
    deleted: bool


SHOWN_FIELDS = (
    "user_id", "title", "content", "tags", "created_at", "updated_at", "expires_at", "version",
)  # fmt: skip
SHOWN = dict.fromkeys(SHOWN_FIELDS, 1)
"""The fields that a reader gets. A document can be much larger: its outbox holds up to 100 events."""
READING = SHOWN | {"deleted": 1, "last_event.id": 1}
"""The fields of a single post that a reader gets, and those by which `is_visible` decides."""
CHANGING = SHOWN | {"outbox.id": 1, "parked.id": 1}
"""The fields that a change is decided by. Of the pending events only their number matters."""
LATEST_STATE = dict.fromkeys((*SHOWN_FIELDS, "deleted", "settled", "last_event"), 1)
"""The fields from which the last event of a post can be written again."""


def now() -> datetime:
    """Return the time in UTC, in whole milliseconds as MongoDB keeps it."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def new_post(
    author: int, title: str, content: str, tags: list[str], expires_at: datetime | None, time: datetime
) -> StoredPost:
    """Return version 1 of a post by user `author`. It has no event yet."""
    return {
        "_id": ObjectId(),
        "user_id": author,
        "title": title,
        "content": content,
        "tags": tags,
        "created_at": time,
        "updated_at": time,
        "expires_at": expires_at,
        "version": 1,
        "deleted": False,
    }


def changed(post: StoredPost, fields: ChangedFields) -> StoredPost:
    """Return the post as it will be once `fields` are written; `post` stays as it is."""
    return {**post, **fields}


def events_held(post: StoredPost) -> int:
    """Return how many events the document holds. Parked ones count too, since they need space as well."""
    return len(post.get("outbox", ())) + len(post.get("parked", ()))


def visible() -> Query:
    """Return the part of a query that finds the posts a reader may see.

    An expired post is invisible at once, even if MongoDB has not removed it yet. A document without
    `last_event` was not written by this service, so it is no post.
    """
    return {
        "deleted": False,
        "last_event": {"$exists": True},
        "$or": [{"expires_at": None}, {"expires_at": {"$gt": datetime.now(UTC)}}],
    }


def is_visible(post: StoredPost) -> bool:
    """Return whether a reader may see this post: `visible` for a document that was read with READING.

    MongoDB finds a document by its `_id` alone without a query plan, which is why a single post is read
    without the conditions of `visible`.
    """
    expiry = post.get("expires_at")
    # Another program's document may hold anything; MongoDB compares dates with dates only, too.
    lasts = expiry is None or (isinstance(expiry, datetime) and expiry > datetime.now(UTC))
    return lasts and post.get("deleted") is False and "last_event" in post
