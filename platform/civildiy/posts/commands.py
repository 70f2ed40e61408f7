"""The commands that change a post: create, update, delete. Each decides, and writes an event about it.

A refused command leaves no trace: the event is created only together with the change, and the store
writes both in one step.
"""

from datetime import datetime

from civildiy.chassis.errors import Forbidden, Unavailable
from civildiy.posts.document import ChangedFields, StoredPost, changed, events_held, new_post, now
from civildiy.posts.relay.outbox import MAX_WAITING, deleted_event, put_event
from civildiy.posts.store import Change, PostStore


class Commands:
    """The write side of posts. `traceparent` is the trace context of the request."""

    def __init__(self, store: PostStore) -> None:
        self._store = store

    async def create(
        self,
        author: int,
        *,
        title: str,
        content: str,
        tags: list[str],
        expires_at: datetime | None,
        traceparent: str,
    ) -> StoredPost:
        """Store a post with its `post.created` event."""
        time = now()
        post = new_post(author, title, content, tags, expires_at, time)
        return await self._store.add(post, put_event("post.created", post, time, traceparent))

    async def update(self, post_id: str, user: int, changes: ChangedFields, traceparent: str) -> StoredPost:
        """Change some fields of a post of `user`, with a `post.updated` event.

        Raises NotFound, Forbidden, and Unavailable when too many events are pending already.
        """

        def decide(post: StoredPost, time: datetime) -> Change:
            _refuse_others(post, user)
            _refuse_when_full(post)
            fields: ChangedFields = {**changes, "updated_at": time, "version": post["version"] + 1}
            return Change(fields, put_event("post.updated", changed(post, fields), time, traceparent))

        return await self._store.change(post_id, decide)

    async def delete(self, post_id: str, user: int, traceparent: str) -> None:
        """Delete a post of `user`, with a `post.deleted` event.

        Its title, content and tags are removed at once, the rest when the event is published. A full outbox
        does not matter here: a text must not stay readable because Kafka is down. Raises NotFound and
        Forbidden.
        """

        def decide(post: StoredPost, time: datetime) -> Change:
            _refuse_others(post, user)
            fields: ChangedFields = {
                "title": "",
                "content": "",
                "tags": [],
                "deleted": True,
                "expires_at": None,
                "updated_at": time,
                "version": post["version"] + 1,
            }
            return Change(fields, deleted_event(changed(post, fields), time, traceparent))

        await self._store.change(post_id, decide)


def _refuse_others(post: StoredPost, user: int) -> None:
    if post["user_id"] != user:
        raise Forbidden("Only the author may change or delete a post.")


def _refuse_when_full(post: StoredPost) -> None:
    if events_held(post) >= MAX_WAITING:
        raise Unavailable("kafka", "Too many changes of this post are not published yet; try again later.")
