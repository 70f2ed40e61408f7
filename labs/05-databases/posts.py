"""Posts as documents in MongoDB.

A document holds a post and its pending events (`outbox`), so each change is one write to one document.
Two fields control what happens next. `settled` is true when no event is pending, and only then may
MongoDB remove an expired post. `deleted` hides a post from readers while its last event is pending.
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
"""How often a change is tried again after another request changed the post in between."""


_FIELDS = tuple(name for name in Post.model_fields if name != "id")
SHOWN = dict.fromkeys(_FIELDS, 1)
"""The fields that a reader gets. A document can be much larger: its outbox holds up to a hundred states."""
CHANGING = SHOWN | {"outbox.id": 1, "parked.id": 1}
"""The fields that a change needs for its decision: of pending events only their ids, to count them."""

Keys = list[tuple[str, int]]
BUILD_SECONDS = 120
"""An index over many posts takes longer than a request may."""
INDEX_CONFLICTS = (85, 86)
"""MongoDB's codes for an index that exists with other keys or other options."""


def now() -> datetime:
    """The time in UTC, in whole milliseconds as MongoDB keeps it."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


async def ensure_collection(database: AsyncDatabase[Document]) -> None:
    """Create the collection and its three indexes if they are missing; a second call changes nothing.

    `await ensure_index(posts, name, keys, **options)` makes one index and replaces a different one of that
    name:

    - `user_id`: keys `[("user_id", 1), ("_id", -1)]`, for the pages of one author, newest first.
    - `expiry`: `[("expires_at", 1)]`, `expireAfterSeconds=0`, only for settled posts
      (`partialFilterExpression={"settled": True}`): MongoDB removes a post at that time.
    - `outbox`: `[("updated_at", 1)]`, only for unsettled posts, which the relay reads.

    `await database.list_collection_names()` and `create_collection(COLLECTION)` come first, then `await
    database.command("collMod", COLLECTION, changeStreamPreAndPostImages={"enabled": True})`, without which
    the relay can't see what was in a removed post. At the end drop unknown indexes that are harmful, from
    `await posts.index_information()` (a dict by name): those with `expireAfterSeconds` or `unique`.
    """
    raise NotImplementedError("Lab 05, step 3: write ensure_collection")


async def ensure_index(posts: AsyncCollection[Document], name: str, keys: Keys, **options: Any) -> None:
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
"""A function from a post's document and the time of the change to a Change; it raises a Problem to refuse."""


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
        """Return a page of the posts of one author (`query.user_id`) or of all (None), newest first.

        `query.before` is the id of the last post that the reader saw, or None: the page holds older ones.
        New posts in front therefore don't move the page. Ids grow with time, so `{"_id": {"$lt":
        ObjectId(before)}}` finds older posts. Use `self._posts.find(filter, SHOWN, sort=[("_id", -1)],
        skip=query.skip, limit=…)`, which is read with `async for`, and `visible()` as a part of the filter;
        `_as_post(document)` makes a `Post`.

        `total` counts what the query matches without `before`: `await self._posts.count_documents(filter)`
        for an author, `estimated_document_count()` for all. `next` is the id of the page's last post if
        more posts follow, else None; read one post more than `query.limit` to know. Returns PostPage(items,
        total, limit, skip, next).
        """
        raise NotImplementedError("Lab 05, step 3: write PostStore.page")

    async def change(self, post_id: str, decide: Decide) -> Post:
        """Change a post and append its event, unless another request wrote in between; then try again.

        At most ATTEMPTS times: `find_one({"_id": ObjectId(post_id), **visible()}, CHANGING)` (None:
        NotFound), then `change = decide(post, time)`, where `time` is `max(now(), post["updated_at"])`,
        then `find_one_and_update(filter, change_with_event(change.fields, change.event), SHOWN,
        return_document=ReturnDocument.AFTER)`. The filter holds the `_id`, the `version` that was read and
        `deleted` False; the answer is None if no document matches. All three calls but `decide` need
        `await`. Raises NotFound, Conflict after the last attempt, and what `decide` raises.
        """
        raise NotImplementedError("Lab 05, step 3: write PostStore.change")


def visible() -> Document:
    """Return the filter for posts that readers may see: not deleted, and not expired.

    MongoDB removes expired posts with a delay, so they must be filtered. Documents of other programs have no
    `last_event`, and readers don't see them.
    """
    return {
        "deleted": False,
        "last_event": {"$exists": True},
        "$or": [{"expires_at": None}, {"expires_at": {"$gt": datetime.now(UTC)}}],
    }


def _as_post(document: Mapping[str, Any]) -> Post:
    return Post(id=str(document["_id"]), **{f: document[f] for f in _FIELDS})
