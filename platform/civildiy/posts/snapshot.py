"""The posts as they are now, told in events: for whoever makes a view of them anew.

posts owns MongoDB, so this module is part of posts. What it hands out is the public envelope, the
same bytes that the last event of each post had, and never a document: a reader needs to know
nothing of how posts are stored. Blocking client: for tools and workers only.
"""

from collections.abc import Collection as Many
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId
from pymongo.collection import Collection

from civildiy.chassis.trace import continued_trace
from civildiy.events.envelope import PostEvent
from civildiy.posts.outbox import Document, deleted_event, put_event

_FIELDS = (
    "user_id", "title", "content", "tags", "created_at", "updated_at", "expires_at",
    "version", "deleted", "settled", "last_event",
)  # fmt: skip
BATCH = 500


@dataclass(frozen=True)
class PostState:
    """One post now. `event` is its last event; `settled`: that event is known to be on the topic."""

    event: PostEvent
    settled: bool
    expires_at: datetime | None


def post_states(posts: Collection[Document], only: Many[str] | None = None) -> Iterator[PostState]:
    """The state of each post, oldest change first; `only` these posts when given.

    What is stored when the first one is asked for is in it; later changes may be or may not.
    A deleted post is in it while its last event waits. Raises PyMongoError.
    """
    wanted: dict[str, Any] = {} if only is None else {"_id": {"$in": [ObjectId(i) for i in only]}}
    found = posts.find(
        wanted, _FIELDS, sort=[("updated_at", 1), ("_id", 1)], allow_disk_use=True, batch_size=BATCH
    )
    with found:
        for post in found:
            yield PostState(_last_event(post), post["settled"], post["expires_at"])


def _last_event(post: Document) -> PostEvent:
    last, trace = post["last_event"], continued_trace(None)
    event: PostEvent = (
        deleted_event(post, last["time"], trace)
        if post["deleted"]
        else put_event(last["type"], post, last["time"], trace)
    )
    return event.model_copy(update={"id": last["id"]})
