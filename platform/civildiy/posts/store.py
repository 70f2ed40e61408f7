"""Posts as documents in MongoDB.

A document holds a post and the events it still owes (`outbox`), so each change is one write to
one document. Two fields steer what happens next: `settled` is true when no event waits, and only
then may MongoDB remove an expired post; `deleted` marks a post that is gone for readers while
its last event waits.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from bson import ObjectId
from pymongo import ReturnDocument
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

from civildiy.chassis.problems import Conflict, Forbidden, NotFound, Unavailable
from civildiy.posts.outbox import MAX_WAITING, Document, deleted_event, entry, put_event
from civildiy.posts.schemas import NewPost, PageQuery, Post, PostPage

log = logging.getLogger(__name__)

COLLECTION = "posts"
ATTEMPTS = 20
"""How often a change is tried again when somebody else changed the post in between."""


def now() -> datetime:
    """The time in UTC, in whole milliseconds as MongoDB keeps it."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


async def ensure_collection(database: AsyncDatabase[Document]) -> None:
    """Create the collection and its indexes; doing it twice changes nothing."""
    if COLLECTION not in await database.list_collection_names():
        await database.create_collection(COLLECTION)
    # A removal by TTL shows the removed post in the change stream only with this.
    await database.command("collMod", COLLECTION, changeStreamPreAndPostImages={"enabled": True})
    posts = database[COLLECTION]
    await posts.create_index([("user_id", 1), ("_id", -1)], name="user_id")
    await posts.create_index(
        "expires_at",
        name="expiry",
        expireAfterSeconds=0,
        partialFilterExpression={"settled": True},
    )
    await posts.create_index("updated_at", name="outbox", partialFilterExpression={"settled": False})


async def ensure_collection_until_done(database: AsyncDatabase[Document]) -> None:
    """Try until MongoDB answers: a service may start before its database."""
    while True:
        try:
            await ensure_collection(database)
        except PyMongoError as error:
            log.warning("MongoDB does not answer yet: %s", error)
            await asyncio.sleep(0.5)
        else:
            return


Change = Callable[[Document, datetime], Document]
"""From a post as it is and the time to the post as it shall be, with its new event."""


class PostStore:
    """All reads and writes of posts. Driver errors mean that MongoDB does not answer: 503."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._posts: AsyncCollection[Document] = database[COLLECTION]

    async def create(self, author: int, new: NewPost, traceparent: str) -> Post:
        """Store a post and its `post.created` event in one document."""
        time = now()
        document: Document = {
            "_id": ObjectId(),
            "user_id": author,
            **new.model_dump(),
            "created_at": time,
            "updated_at": time,
            "version": 1,
            "deleted": False,
        }
        event = put_event("post.created", document, time, traceparent)
        document |= {
            "outbox": [entry(event)],
            "settled": False,
            "last_event": {"id": event.id, "type": event.type, "time": time},
        }
        await self._posts.insert_one(document)
        return _as_post(document)

    async def get(self, post_id: str) -> Post:
        """One post. Raises NotFound."""
        document = await self._posts.find_one({"_id": ObjectId(post_id), **_visible()})
        if document is None:
            raise NotFound(f"There is no post {post_id}.")
        return _as_post(document)

    async def page(self, query: PageQuery) -> PostPage:
        """Posts of one author or of everybody, newest first."""
        wanted = _visible()
        if query.user_id is not None:
            wanted["user_id"] = query.user_id
        found = self._posts.find(wanted, sort=[("_id", -1)], skip=query.skip, limit=query.limit)
        items = [_as_post(document) async for document in found]
        total = await self._posts.count_documents(wanted)
        return PostPage(items=items, total=total, limit=query.limit, skip=query.skip)

    async def update(self, post_id: str, user: int, changes: Mapping[str, Any], traceparent: str) -> Post:
        """Change some fields of one's own post, and add the `post.updated` event.

        Raises NotFound, Forbidden, and Unavailable when too many events wait already.
        """

        def apply(post: Document, time: datetime) -> Document:
            after = {**post, **changes, "updated_at": time, "version": post["version"] + 1}
            event = put_event("post.updated", after, time, traceparent)
            last = {"id": event.id, "type": event.type, "time": time}
            return after | {"outbox": entry(event), "last_event": last}

        return _as_post(await self._change(post_id, user, [*changes], apply))

    async def delete(self, post_id: str, user: int, traceparent: str) -> None:
        """Remove one's own post: its words go at once, the rest when the event is published.

        Raises NotFound, Forbidden, and Unavailable when too many events wait already.
        """

        def apply(post: Document, time: datetime) -> Document:
            after = {**post, "updated_at": time, "version": post["version"] + 1}
            event = deleted_event(after, time, traceparent)
            last = {"id": event.id, "type": event.type, "time": time}
            emptied = {"title": "", "content": "", "tags": [], "deleted": True, "expires_at": None}
            return after | emptied | {"outbox": entry(event), "last_event": last}

        fields = ["title", "content", "tags", "deleted", "expires_at"]
        await self._change(post_id, user, fields, apply)

    async def _change(self, post_id: str, user: int, fields: list[str], apply: Change) -> Document:
        """Read, apply, write if nobody else wrote in between; else read again."""
        key = ObjectId(post_id)
        for _ in range(ATTEMPTS):
            post = await self._posts.find_one({"_id": key, **_visible()})
            if post is None:
                raise NotFound(f"There is no post {post_id}.")
            if post["user_id"] != user:
                raise Forbidden("Only the author may change or delete a post.")
            if len(post["outbox"]) >= MAX_WAITING:
                raise Unavailable("kafka", "Too many changes of this post wait to be published.")
            after = apply(post, max(now(), post["updated_at"]))
            names = [*fields, "updated_at", "version", "last_event"]
            written = await self._posts.find_one_and_update(
                {"_id": key, "version": post["version"], "deleted": False},
                {
                    "$set": {name: after[name] for name in names} | {"settled": False},
                    "$push": {"outbox": after["outbox"]},
                },
                return_document=ReturnDocument.AFTER,
            )
            if written is not None:
                return written
        raise Conflict("Others keep changing this post; try again.")


def _visible() -> Document:
    return {
        "deleted": False,
        "$or": [{"expires_at": None}, {"expires_at": {"$gt": datetime.now(UTC)}}],
    }


def _as_post(document: Mapping[str, Any]) -> Post:
    return Post(id=str(document["_id"]), **{f: document[f] for f in _FIELDS})


_FIELDS = tuple(name for name in Post.model_fields if name != "id")
