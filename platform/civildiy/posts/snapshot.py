"""A snapshot of all posts, as events: for a tool that rebuilds or checks a view of them.

posts owns MongoDB, so this module is part of posts. It returns the public envelope, with the same content as
the last event of each post, and never a document. So its caller needs to know nothing about how posts are
stored. Blocking client: for tools and workers only.
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
    """The state of one post. `event` is its last event; `settled` is true if that event is on the topic."""

    event: PostEvent
    settled: bool
    expires_at: datetime | None


def post_states(posts: Collection[StoredPost], only: Many[str] | None = None) -> Iterator[PostState]:
    """Yield the state of each post, in the order of the ids; `only` these posts when given.

    It includes every change that is stored before the first state is read, and perhaps later ones. It
    includes a deleted post while its last event is pending. Raises PyMongoError.
    """
    wanted: Query = {"last_event": {"$exists": True}}
    if only is not None:
        wanted["_id"] = {"$in": [ObjectId(post_id) for post_id in only]}
    # MongoDB has this order in an index. For another one it would keep all posts in memory, or on disk.
    found = posts.find(wanted, LATEST_STATE, sort=[("_id", 1)], batch_size=BATCH)
    with found:
        for post in found:
            try:
                state = PostState(_last_event(post), post["settled"], post["expires_at"])
            except (KeyError, TypeError, ValueError):
                log.warning("left out what is no post: %.100s", post["_id"])
            else:
                yield state


def created(post_id: str) -> datetime:
    """Return when a post was created, which its id contains."""
    return ObjectId(post_id).generation_time


def _last_event(post: StoredPost) -> PostEvent:
    last, trace = post["last_event"], continued_trace(None)
    event: PostEvent = (
        deleted_event(post, last["time"], trace)
        if post["deleted"]
        else put_event(cast(Put, last["type"]), post, last["time"], trace)
    )
    return event.model_copy(update={"id": last["id"]})
