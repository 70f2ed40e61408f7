"""Commands that change a post: create, update, delete. Each decides, and publishes its decision as an event.

A command that is refused leaves no event: the event is made together with the change, and the store
writes both at once.
"""

from datetime import datetime

from civildiy.chassis.errors import Forbidden, Unavailable
from civildiy.posts.document import ChangedFields, StoredPost, changed, events_held, new_post, now
from civildiy.posts.relay.outbox import MAX_WAITING, deleted_event, put_event
from civildiy.posts.store import Change, PostStore


class Commands:
    """The write side of posts. `traceparent` is the trace of the request."""

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
        """Change some fields of the user's own post, with a `post.updated` event; return the new post.

        `changes` holds new values by field name, such as `{"title": "new"}`. Write a function `decide(post,
        time)` (without `async`), and return `await self._store.change(post_id, decide)`. `decide` refuses
        first, with `_refuse_others` and `_refuse_when_full`, and then returns `Change(fields, event)`.
        `fields` are the changes, `updated_at` (`time`) and `version` (one more); the event is that of
        `changed(post, fields)`. Raises NotFound, Forbidden, and Unavailable if too many events are pending.
        """

        def decide(post: StoredPost, time: datetime) -> Change:
            _refuse_others(post, user)
            _refuse_when_full(post)
            fields: ChangedFields = {**changes, "updated_at": time, "version": post["version"] + 1}
            return Change(fields, put_event("post.updated", changed(post, fields), time, traceparent))

        return await self._store.change(post_id, decide)

    async def delete(self, post_id: str, user: int, traceparent: str) -> None:
        """Delete the user's own post, with a `post.deleted` event.

        Example: a deleted post of version 3 has version 4, an empty title and one more pending event.

        This write erases the post's text: `title` and `content` become "", `tags` [], `expires_at` None.
        `deleted` becomes True, and `updated_at` and `version` change as in `update`. The relay removes the
        document after the event is published. The number of pending events doesn't matter: a user's text
        must not stay because Kafka is down. Raises NotFound and Forbidden.
        """

        def decide(post: StoredPost, time: datetime) -> Change:
            _refuse_others(post, user)
            fields: ChangedFields = {"deleted": True, "updated_at": time, "version": post["version"] + 1}
            fields |= {"title": "", "content": "", "tags": [], "expires_at": None}
            return Change(fields, deleted_event(changed(post, fields), time, traceparent))

        await self._store.change(post_id, decide)


def _refuse_others(post: StoredPost, user: int) -> None:
    """Raise Forbidden unless `user` wrote the post."""
    if post["user_id"] != user:
        raise Forbidden("Only the author may change or delete a post.")


def _refuse_when_full(post: StoredPost) -> None:
    """Raise Unavailable if the post holds MAX_WAITING events; parked events count as well."""
    if events_held(post) >= MAX_WAITING:
        raise Unavailable("kafka", "Too many changes of this post are not published yet; try again later.")
