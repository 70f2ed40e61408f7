"""Posts as documents in MongoDB.

A document holds a post and its pending events, those that are not published yet (`outbox`, lab 06). So each
change is one write to one document. Two fields control what happens next. `settled` is true when no event is
pending, and only then may MongoDB remove an expired post. `deleted` hides a post from readers while its last
event is pending.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId
from pymongo import ReturnDocument
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import OperationFailure

from civildiy.chassis.errors import Conflict, NotFound
from civildiy.contracts.posts.envelope import PostEvent
from civildiy.posts.document import (
    CHANGING,
    READING,
    SHOWN,
    ChangedFields,
    Query,
    StoredPost,
    is_visible,
    now,
    visible,
)
from civildiy.posts.relay.outbox import change_with_event, new_with_event

COLLECTION = "posts"
ATTEMPTS = 20
"""How often a change is tried again after another request changed the post in between."""

Keys = list[tuple[str, int]]
INDEX_CONFLICTS = (85, 86)
"""MongoDB's codes for an index that exists with other keys or other options."""


async def ensure_collection(database: AsyncDatabase[Any]) -> None:
    """Create the collection and its three indexes if they are missing; a second call changes nothing.

    Example: afterwards `await posts.index_information()` has the names `_id_`, `user_id`, `expiry` and
    `outbox`.

    `posts = await open_collection(database)` comes first; it creates the collection if it is missing. Then
    `await ensure_index(posts, name, keys, **options)` makes one index and replaces a different one of that
    name:

    - `user_id`: keys `[("user_id", 1), ("_id", -1)]`, for the pages of one author, newest first.
    - `expiry`: `[("expires_at", 1)]`, `expireAfterSeconds=0`, only for settled posts
      (`partialFilterExpression={"settled": True}`): MongoDB removes a post at that time.
    - `outbox`: `[("updated_at", 1)]`, only for unsettled posts, which the relay reads.

    Last comes `await drop_harmful(posts)`. Raises pymongo's errors while MongoDB does not answer.
    """
    posts = await open_collection(database)
    await ensure_index(posts, "user_id", [("user_id", 1), ("_id", -1)])
    await ensure_index(
        posts, "expiry", [("expires_at", 1)], expireAfterSeconds=0, partialFilterExpression={"settled": True}
    )
    await ensure_index(posts, "outbox", [("updated_at", 1)], partialFilterExpression={"settled": False})
    await drop_harmful(posts)


async def open_collection(database: AsyncDatabase[Any]) -> AsyncCollection[StoredPost]:
    """Return the collection of posts, created if it is missing."""
    if COLLECTION not in await database.list_collection_names():
        await database.create_collection(COLLECTION)
    # With this MongoDB keeps the last state of a post that it removed by TTL; the relay needs it.
    await database.command("collMod", COLLECTION, changeStreamPreAndPostImages={"enabled": True})
    return database[COLLECTION]


async def ensure_index(posts: AsyncCollection[StoredPost], name: str, keys: Keys, **options: Any) -> None:
    """Create an index; drop another one of the same name or the same keys first."""
    try:
        await posts.create_index(keys, name=name, **options)
    except OperationFailure as error:
        if error.code not in INDEX_CONFLICTS:
            raise
        for other, known in (await posts.index_information()).items():
            if other == name or known["key"] == keys:
                await posts.drop_index(other)
        await posts.create_index(keys, name=name, **options)


async def drop_harmful(posts: AsyncCollection[StoredPost]) -> None:
    """Drop unknown indexes that do harm: one with a TTL deletes posts, a unique one refuses them."""
    for other, known in (await posts.index_information()).items():
        harms = "expireAfterSeconds" in known or known.get("unique")
        if harms and other not in ("_id_", "expiry"):
            await posts.drop_index(other)


@dataclass(frozen=True)
class Change:
    """What a change writes: the fields with their new values, and the event that states the new state."""

    fields: ChangedFields
    event: PostEvent


Decide = Callable[[StoredPost, datetime], Change]
"""A function from a post's document and the time to a Change; it raises a DomainError to refuse."""


@dataclass(frozen=True)
class PageRequest:
    """Which posts to read: of one author, or of all when `user_id` is None.

    `before` is the id of the last post that the client has seen. A page by `before` does not shift while
    posts are added; a page by `skip` does.
    """

    user_id: int | None = None
    before: str | None = None
    limit: int = 20
    skip: int = 0


@dataclass(frozen=True)
class Page:
    """Some posts, newest first. `next` is the `before` of the page after this one, None at the end."""

    posts: list[StoredPost]
    total: int
    next: str | None


class PostStore:
    """All reads and writes of posts. Raises the driver's errors while MongoDB does not answer."""

    def __init__(self, database: AsyncDatabase[Any]) -> None:
        self._posts: AsyncCollection[StoredPost] = database[COLLECTION]

    async def add(self, post: StoredPost, event: PostEvent) -> StoredPost:
        """Store a new post and its first event, in one document."""
        await self._posts.insert_one(new_with_event(post, event))
        return post

    async def get(self, post_id: str) -> StoredPost:
        """Return one post. Raises NotFound."""
        document = await self._posts.find_one({"_id": ObjectId(post_id)}, READING)
        if document is None or not is_visible(document):
            raise NotFound(f"There is no post {post_id}.")
        return document

    async def page(self, query: PageRequest) -> Page:
        """Return a page of the posts of one author (`query.user_id`) or of all (None), newest first.

        Example: of five posts, `page(PageRequest(limit=2))` has the two newest, `total` 5, and as `next` the
        id of the second one.

        `query.before` is the id of the last post that the reader saw, or None: the page holds older ones.
        New posts in front therefore don't move the page. Ids grow with time, so `{"_id": {"$lt":
        ObjectId(before)}}` finds older posts. Use `self._posts.find(filter, SHOWN, sort=[("_id", -1)],
        skip=query.skip, limit=…)`, which is read with `async for`, and `visible()` as a part of the filter.

        `total` is what `await self._total(query)` returns. `next` is the id of the page's last post if
        more posts follow, else None; read one post more than `query.limit` to know. Returns
        `Page(posts, total, next)`.
        """
        wanted: Query = visible()
        if query.user_id is not None:
            wanted["user_id"] = query.user_id
        if query.before is not None:
            wanted["_id"] = {"$lt": ObjectId(query.before)}
        # One more than asked for tells whether anything follows.
        found = self._posts.find(wanted, SHOWN, sort=[("_id", -1)], skip=query.skip, limit=query.limit + 1)
        posts = [post async for post in found]
        following = str(posts[query.limit - 1]["_id"]) if len(posts) > query.limit else None
        return Page(posts[: query.limit], await self._total(query), following)

    async def _total(self, query: PageRequest) -> int:
        """Return how many posts the query matches without `before`; for all authors this is an estimate."""
        if query.user_id is None:
            return await self._posts.estimated_document_count()  # counting them all takes too long
        return await self._posts.count_documents({**visible(), "user_id": query.user_id})

    async def change(self, post_id: str, decide: Decide) -> StoredPost:
        """Change a post and append its event, unless another request wrote in between; then try again.

        Example: two requests read version 3, and both decide. One write matches; the other request finds
        None, reads version 4 and decides again.

        At most ATTEMPTS times: `await self._posts.find_one({"_id": ObjectId(post_id), **visible()},
        CHANGING)` (None: NotFound), then `change = decide(post, time)`, where `time` is `max(now(),
        post["updated_at"])`, then `await self._posts.find_one_and_update(filter, update, SHOWN,
        return_document=ReturnDocument.AFTER)`, where the update is `change_with_event(change.fields,
        change.event)`. The filter holds the `_id`, the `version` that was read and `deleted` False; the
        answer is None if no document matches. Raises NotFound, Conflict after the last attempt, and what
        `decide` raises.
        """
        for _ in range(ATTEMPTS):
            post = await self._posts.find_one({"_id": ObjectId(post_id), **visible()}, CHANGING)
            if post is None:
                raise NotFound(f"There is no post {post_id}.")
            change = decide(post, max(now(), post["updated_at"]))
            unchanged = {"_id": post["_id"], "version": post["version"], "deleted": False}
            update = change_with_event(change.fields, change.event)
            written = await self._posts.find_one_and_update(
                unchanged, update, SHOWN, return_document=ReturnDocument.AFTER
            )
            if written is not None:
                return written
        raise Conflict("Others keep changing this post; try again.")
