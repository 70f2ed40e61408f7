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
    raise NotImplementedError("Lab 05, step 3: write ensure_collection")


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
        raise NotImplementedError("Lab 05, step 3: write PostStore.page")

    async def change(self, post_id: str, decide: Decide) -> Post:
        """Read the post, ask `decide`, and write if nobody else wrote in between; else begin anew.

        Raises NotFound, Conflict after ATTEMPTS, and what `decide` raises.
        """
        raise NotImplementedError("Lab 05, step 3: write PostStore.change")


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
