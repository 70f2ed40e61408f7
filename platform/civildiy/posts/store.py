"""Posts as documents in MongoDB.

`civildiy.posts.document` describes the document. It holds a post together with its pending events, so each
change is one write to one document.
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
from civildiy.posts.document import CHANGING, SHOWN, ChangedFields, Query, StoredPost, now, visible
from civildiy.posts.relay.outbox import change_with_event, new_with_event

COLLECTION = "posts"
ATTEMPTS = 20
"""How often a change is tried again when another request changed the post in between."""

Keys = list[tuple[str, int]]
INDEX_CONFLICTS = (85, 86)
"""MongoDB's codes for an index that is there already, but not the same."""


async def ensure_collection(database: AsyncDatabase[Any]) -> None:
    """Create the collection and its indexes; doing it twice changes nothing."""
    if COLLECTION not in await database.list_collection_names():
        await database.create_collection(COLLECTION)
    # A removal by TTL shows the removed post in the change stream only with this.
    await database.command("collMod", COLLECTION, changeStreamPreAndPostImages={"enabled": True})
    posts = database[COLLECTION]
    await ensure_index(posts, "user_id", [("user_id", 1), ("_id", -1)])
    await ensure_index(
        posts,
        "expiry",
        [("expires_at", 1)],
        expireAfterSeconds=0,
        partialFilterExpression={"settled": True},
    )
    await ensure_index(posts, "outbox", [("updated_at", 1)], partialFilterExpression={"settled": False})
    for other, known in (await posts.index_information()).items():
        # What earlier code left may do harm: an index with a TTL deletes posts, a unique one refuses them.
        harms = "expireAfterSeconds" in known or known.get("unique")
        if harms and other not in ("_id_", "expiry"):
            await posts.drop_index(other)


async def ensure_index(posts: AsyncCollection[StoredPost], name: str, keys: Keys, **options: Any) -> None:
    """Create an index; another one of the same name or the same keys gives way."""
    try:
        await posts.create_index(keys, name=name, **options)
    except OperationFailure as error:
        if error.code not in INDEX_CONFLICTS:
            raise
        for other, known in (await posts.index_information()).items():
            if other == name or known["key"] == keys:
                await posts.drop_index(other)
        await posts.create_index(keys, name=name, **options)


@dataclass(frozen=True)
class Change:
    """What a change writes: fields with their new values, and the event about it."""

    fields: ChangedFields
    event: PostEvent


Decide = Callable[[StoredPost, datetime], Change]
"""Takes the post as it is and the time; returns what changes. Raises a DomainError to refuse."""


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
        document = await self._posts.find_one({"_id": ObjectId(post_id), **visible()}, SHOWN)
        if document is None:
            raise NotFound(f"There is no post {post_id}.")
        return document

    async def page(self, query: PageRequest) -> Page:
        """Return posts of one author or of all authors, newest first (ids rise with time).

        The page holds up to `query.limit` posts that are older than the post `query.before`. So it stays the
        same while posts are added in front of it.
        """
        wanted: Query = visible()
        if query.user_id is not None:
            wanted["user_id"] = query.user_id
        if query.user_id is None:
            total = await self._posts.estimated_document_count()  # counting them all takes too long
        else:
            total = await self._posts.count_documents(wanted)
        if query.before is not None:
            wanted["_id"] = {"$lt": ObjectId(query.before)}
        # One more than asked for tells whether anything follows.
        found = self._posts.find(wanted, SHOWN, sort=[("_id", -1)], skip=query.skip, limit=query.limit + 1)
        posts = [post async for post in found]
        following = str(posts[query.limit - 1]["_id"]) if len(posts) > query.limit else None
        return Page(posts[: query.limit], total, following)

    async def change(self, post_id: str, decide: Decide) -> StoredPost:
        """Read the post, call `decide`, and write what it returns.

        When another request wrote in between, start again with the new state of the post.

        Raises NotFound, Conflict after ATTEMPTS, and what `decide` raises.
        """
        key = ObjectId(post_id)
        for _ in range(ATTEMPTS):
            post = await self._posts.find_one({"_id": key, **visible()}, CHANGING)
            if post is None:
                raise NotFound(f"There is no post {post_id}.")
            change = decide(post, max(now(), post["updated_at"]))
            written = await self._posts.find_one_and_update(
                {"_id": key, "version": post["version"], "deleted": False},
                change_with_event(change.fields, change.event),
                SHOWN,
                return_document=ReturnDocument.AFTER,
            )
            if written is not None:
                return written
        raise Conflict("Others keep changing this post; try again.")
