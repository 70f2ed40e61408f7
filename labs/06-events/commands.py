"""What changes a post: create, update, delete. Each decides, and says so with an event.

A command that is refused leaves no trace: the event comes into being only together with the
change, in the one write that the store makes of both.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bson import ObjectId

from civildiy.chassis.errors import Forbidden, Unavailable
from civildiy.posts.relay.outbox import MAX_WAITING, Document, deleted_event, put_event
from civildiy.posts.schemas import NewPost, Post
from civildiy.posts.store import Change, PostStore, now


class Commands:
    """The write side of posts. `traceparent` is the trace of the request that asks."""

    def __init__(self, store: PostStore) -> None:
        self._store = store

    async def create(self, author: int, new: NewPost, traceparent: str) -> Post:
        """Store a post with its `post.created` event."""
        time = now()
        post = {
            "_id": ObjectId(),
            "user_id": author,
            **new.model_dump(),
            "created_at": time,
            "updated_at": time,
            "version": 1,
            "deleted": False,
        }
        return await self._store.add(post, put_event("post.created", post, time, traceparent))

    async def update(self, post_id: str, user: int, changes: Mapping[str, Any], traceparent: str) -> Post:
        """Change some fields of one's own post, with a `post.updated` event.

        Raises NotFound, Forbidden, and Unavailable when too many events wait already.
        """
        raise NotImplementedError("Lab 06, step 2: write Commands.update")

    async def delete(self, post_id: str, user: int, traceparent: str) -> None:
        """Remove one's own post, with a `post.deleted` event.

        Its words go at once, the rest when the event is published. However many changes wait: no words
        have to stay because Kafka is away. Raises NotFound and Forbidden.
        """
        raise NotImplementedError("Lab 06, step 2: write Commands.delete")


def _refuse_others(post: Document, user: int) -> None:
    if post["user_id"] != user:
        raise Forbidden("Only the author may change or delete a post.")


def _refuse_when_full(post: Document) -> None:
    """Events that were set aside count as well: the document has to hold them all."""
    if len(post["outbox"]) + len(post.get("parked", ())) >= MAX_WAITING:
        raise Unavailable("kafka", "Too many changes of this post wait to be published.")
