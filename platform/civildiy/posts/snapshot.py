"""The posts as they are now, told in events: for whoever makes a view of them anew.

posts owns MongoDB, so this module is part of posts. What it hands out is the public envelope, the
same bytes that the last event of each post had, and never a document: a reader needs to know
nothing of how posts are stored. Blocking client: for tools and workers only.
"""

import logging
from collections.abc import Collection as Many
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from bson import ObjectId
from pymongo.collection import Collection

from civildiy.chassis.observability.tracing import continued_trace
from civildiy.contracts.posts.envelope import PostEvent, Put
from civildiy.posts.document import LATEST_STATE, Query, StoredPost
from civildiy.posts.relay.outbox import deleted_event, put_event

log = logging.getLogger(__name__)

BATCH = 500


@dataclass(frozen=True)
class PostState:
    """One post now. `event` is its last event; `settled`: that event is known to be on the topic."""

    event: PostEvent
    settled: bool
    expires_at: datetime | None


def post_states(posts: Collection[StoredPost], only: Many[str] | None = None) -> Iterator[PostState]:
    """The state of each post, oldest change first; `only` these posts when given.

    What is stored when the first one is asked for is in it; later changes may be or may not.
    A deleted post is in it while its last event waits. Raises PyMongoError.
    """
    wanted: Query = {"last_event": {"$exists": True}}
    if only is not None:
        wanted["_id"] = {"$in": [ObjectId(post_id) for post_id in only]}
    found = posts.find(
        wanted, LATEST_STATE, sort=[("updated_at", 1), ("_id", 1)], allow_disk_use=True, batch_size=BATCH
    )
    with found:
        for post in found:
            try:
                state = PostState(_last_event(post), post["settled"], post["expires_at"])
            except (KeyError, TypeError, ValueError):
                log.warning("left out what is no post: %.100s", post["_id"])
            else:
                yield state


def created(post_id: str) -> datetime:
    """When a post was created: its id tells."""
    return ObjectId(post_id).generation_time


def _last_event(post: StoredPost) -> PostEvent:
    last, trace = post["last_event"], continued_trace(None)
    event: PostEvent = (
        deleted_event(post, last["time"], trace)
        if post["deleted"]
        else put_event(cast(Put, last["type"]), post, last["time"], trace)
    )
    return event.model_copy(update={"id": last["id"]})
