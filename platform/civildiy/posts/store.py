"""Posts as documents in MongoDB.

A document holds a post and the events it still owes (`outbox`), so each change is one write to
one document. Two fields steer what happens next: `settled` is true when no event waits, and only
then may MongoDB remove an expired post; `deleted` marks a post that is gone for readers while
its last event waits.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bson import ObjectId
from pymongo import ReturnDocument, timeout
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import ConnectionFailure, OperationFailure

from civildiy.chassis.problems import Conflict, NotFound
from civildiy.contracts.posts.envelope import PostEvent
from civildiy.posts.relay.outbox import Document, change_with_event, new_with_event
from civildiy.posts.schemas import PageQuery, Post, PostPage

log = logging.getLogger(__name__)

COLLECTION = "posts"
ATTEMPTS = 20
"""How often a change is tried again when somebody else changed the post in between."""


_FIELDS = tuple(name for name in Post.model_fields if name != "id")
SHOWN = dict.fromkeys(_FIELDS, 1)
"""The fields that a reader gets. A document can be much larger: its outbox holds up to a hundred states."""
CHANGING = SHOWN | {"outbox.id": 1, "parked.id": 1}
"""The fields that a change is decided by: of the events that wait only how many they are."""

Keys = list[tuple[str, int]]
BUILD_SECONDS = 120
"""An index over many posts takes longer than a request may."""
INDEX_CONFLICTS = (85, 86)
"""MongoDB's codes for an index that is there already, but not the same."""


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


async def ensure_index(posts: AsyncCollection[Document], name: str, keys: Keys, **options: Any) -> None:
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


async def ensure_collection_until_done(database: AsyncDatabase[Document]) -> None:
    """Try until it works: a service may start before its database."""
    said = False
    while True:
        try:
            with timeout(BUILD_SECONDS):
                await ensure_collection(database)
        except Exception as error:  # whatever it is, the service goes on and the log says what
            if not said:
                away = isinstance(error, ConnectionFailure)
                log.warning("no collection yet, trying until it works: %s", error, exc_info=not away)
            said = True
            await asyncio.sleep(0.5)
        else:
            return


@dataclass(frozen=True)
class Change:
    """What a change writes: the fields with their new values, and the event that states the new state."""

    fields: Document
    event: PostEvent


Decide = Callable[[Document, datetime], Change]
"""A function from the post's document and the time of the change to a Change. It raises a Problem to refuse."""


class PostStore:
    """All reads and writes of posts. Driver errors mean that MongoDB does not answer: 503."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._posts: AsyncCollection[Document] = database[COLLECTION]

    async def add(self, post: Document, event: PostEvent) -> Post:
        """Store a new post and its first event, in one document."""
        await self._posts.insert_one(new_with_event(post, event))
        return _as_post(post)

    async def get(self, post_id: str) -> Post:
        """One post. Raises NotFound."""
        document = await self._posts.find_one({"_id": ObjectId(post_id), **visible()}, SHOWN)
        if document is None:
            raise NotFound(f"There is no post {post_id}.")
        return _as_post(document)

    async def page(self, query: PageQuery) -> PostPage:
        """Posts of one author or of everybody, newest first (ids rise with time).

        `query.before` is the id of the last post seen: older ones follow. So a page stays the same
        while posts are added in front of it.
        """
        wanted = visible()
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
        items = [_as_post(document) async for document in found]
        following = items[query.limit - 1].id if len(items) > query.limit else None
        return PostPage(
            items=items[: query.limit], total=total, limit=query.limit, skip=query.skip, next=following
        )

    async def change(self, post_id: str, decide: Decide) -> Post:
        """Read the post, ask `decide`, and write if nobody else wrote in between; else begin anew.

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
                return _as_post(written)
        raise Conflict("Others keep changing this post; try again.")


def visible() -> Document:
    """Part of a query: not deleted, and not expired, even if MongoDB has not removed it yet.

    Documents that are no posts are nobody's to see: only ours tell of a last event.
    """
    return {
        "deleted": False,
        "last_event": {"$exists": True},
        "$or": [{"expires_at": None}, {"expires_at": {"$gt": datetime.now(UTC)}}],
    }


def _as_post(document: Mapping[str, Any]) -> Post:
    return Post(id=str(document["_id"]), **{f: document[f] for f in _FIELDS})
