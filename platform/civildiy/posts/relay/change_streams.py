"""MongoDB's change streams of posts, two of them: writes wake the relay, removals become events.

There are many writes, and a missed wake-up costs time but no data. So the stream of writes always begins at
the present. Only the stream of removals reports that MongoDB removed an expired post. It carries nothing
else, so a removal never waits behind writes, and it continues at its stored position after a restart. When
MongoDB no longer has that position, the relay compares the topic with the collection
(docs/decisions/0026-a-stream-of-removals.md).
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

from bson import decode_all
from pymongo.change_stream import CollectionChangeStream
from pymongo.collection import Collection
from pymongo.command_cursor import RawBatchCommandCursor
from pymongo.errors import OperationFailure

from civildiy.chassis.observability.tracing import continued_trace
from civildiy.contracts.posts.envelope import PostRemoved
from civildiy.contracts.posts.topic_reader import RecordsGone
from civildiy.posts.document import Query, StoredPost
from civildiy.posts.relay.outbox import expired_event

log = logging.getLogger(__name__)

Stream = CollectionChangeStream[Any]
Search = Callable[[], Iterator[Sequence[PostRemoved]]]
"""Starts a search for missed removals, and returns them in parts. Raises KafkaError."""

READ_SECONDS = 0.2
"""After this time the relay turns to the outbox again, even if there are more removals."""
LOOK_SECONDS = 1.0
"""Under steady writes the relay reads removals this often; otherwise when one wakes it, or nothing does."""
LOOK_MS = 10
KEEP_SECONDS = 10.0
"""While nothing is removed, the position is stored this often, so that it never becomes too old."""

MOST_CHANGES = 1000
"""The most changes in one answer of MongoDB: after minutes under load there are many thousands."""

_WAKING: list[Query] = [
    {"$changeStream": {}},
    {
        "$match": {
            "$or": [
                {"operationType": {"$in": ["insert", "replace", "delete"]}},
                # Each change by the API sets the version; the relay's own updates do not.
                {"updateDescription.updatedFields.version": {"$exists": True}},
            ]
        }
    },
    {"$project": {"operationType": 1}},
]
_REMOVING = [{"$match": {"operationType": "delete"}}]

_NO_WAY_BACK = (260, 286)
"""MongoDB's error codes for a position at which a stream cannot continue, or which its log no longer has."""


class Changes:
    """Both streams. `positions` stores where the removals continue; `search` is used when that is lost.

    `leads` returns whether this relay reports removals. One relay does, also where several publish events: a
    removed post has no event left that another one would have to publish before.
    """

    def __init__(
        self,
        posts: Collection[Any],
        positions: Collection[Any],
        search: Search,
        leads: Callable[[], bool] = lambda: True,
    ) -> None:
        self._posts = posts
        self._positions = positions
        self._search = search
        self._leads = leads
        self._writes: RawBatchCommandCursor[Any] | None = None
        self._removals: Stream | None = None
        self._searching: Iterator[Sequence[PostRemoved]] | None = None
        self._more = True
        """Whether there may be removals that are not published yet."""
        self._looked = self._kept = float("-inf")

    def wait(self, milliseconds: int) -> None:
        """Block until the next change, for `milliseconds` at most; return at once while there are removals.

        Raises PyMongoError.
        """
        if self._more and self._removals is not None:
            return
        if self._writes is None:
            # `watch` gives one change at a time, and the relay would query its outbox for each of them. One
            # query finds the events of all changes so far, so the relay reads whole answers of MongoDB.
            opened = self._posts.aggregate_raw_batches(
                _WAKING, batchSize=MOST_CHANGES, maxAwaitTimeMS=milliseconds
            )
            # pymongo declares another class than the one that it returns.
            self._writes = cast(RawBatchCommandCursor[Any], opened)
        kinds = {change["operationType"] for change in decode_all(self._writes.try_next() or b"")}
        self._more = not kinds or "delete" in kinds
        if not self._writes.alive:  # the collection was dropped, and its stream has ended
            self._writes.close()
            self._writes = None

    def removals(self) -> Sequence[PostRemoved]:
        """Events of posts that are gone since the last ones were told, oldest first; some at a time.

        After an error or a restart they come again from what was told last. Raises PyMongoError, KafkaError.
        """
        now = time.monotonic()
        if not self._leads():
            self._give_up_removals()
            return ()
        if not self._more and now - self._looked < LOOK_SECONDS:
            return ()
        self._looked, self._more = now, False
        if self._removals is None:
            self._removals = self._open()
        if self._searching is not None:
            missed = self._vanished()
            if self._searching is not None:
                return missed
        return self._removed(self._removals)

    def told(self) -> None:
        """Continue after the last result of `removals`, which is on the topic now. Raises PyMongoError."""
        if self._removals is None or self._searching is not None:
            return
        if time.monotonic() - self._kept >= KEEP_SECONDS:
            position = {"position": self._removals.resume_token}
            self._positions.update_one({"_id": "removals"}, {"$set": position}, upsert=True)
            self._kept = time.monotonic()

    def close(self) -> None:
        """Close the streams. The next call opens them again, the removals after the last published one."""
        for stream in (self._writes, self._removals):
            if stream is not None:
                stream.close()
        self._writes = self._removals = self._searching = None
        self._more = True

    def _give_up_removals(self) -> None:
        if self._removals is not None:
            self._removals.close()
        self._removals = self._searching = None
        self._more = False

    def _removed(self, stream: Stream) -> Sequence[PostRemoved]:
        removals: list[PostRemoved] = []
        ending = time.monotonic() + READ_SECONDS
        while time.monotonic() < ending and (change := stream.try_next()) is not None:
            self._kept = float("-inf")
            if change["operationType"] != "delete":  # the end of the stream itself
                continue
            image = change.get("fullDocumentBeforeChange")
            if image is None:
                log.warning("post %s is gone and left no image", change["documentKey"]["_id"])
                self._begin_to_search()
            elif (event := _event(image)) is not None:
                removals.append(event)
        self._more = time.monotonic() >= ending or self._searching is not None
        if not stream.alive:
            log.error("the collection is gone, and what was in it: comparing with the topic")
            self._positions.delete_one({"_id": "removals"})
            self.close()
        return removals

    def _begin_to_search(self) -> None:
        self._searching = self._search()

    def _vanished(self) -> Sequence[PostRemoved]:
        """Return the next part of the missed removals; the search ends when there is none."""
        assert self._searching is not None
        try:
            missed = next(self._searching, None)
        except RecordsGone:  # Kafka deleted records while they were read: start again
            self._begin_to_search()
            return ()
        self._more = True
        if missed is None:
            log.info("compared with the topic to its end")
            self._searching, self._kept = None, float("-inf")
        return missed or ()

    def _open(self) -> Stream:
        self._kept = float("-inf")
        kept = self._positions.find_one({"_id": "removals"})
        if kept:
            try:
                return self._watch(kept["position"])
            except OperationFailure as error:
                if error.code not in _NO_WAY_BACK:
                    raise
        log.warning("MongoDB's log does not reach back to the removals told last: comparing with the topic")
        stream = self._watch(None)  # opened first, so that it reports removals during the search
        self._begin_to_search()
        return stream

    def _watch(self, position: Mapping[str, Any] | None) -> Stream:
        return self._posts.watch(
            _REMOVING,
            full_document_before_change="whenAvailable",
            max_await_time_ms=LOOK_MS,
            resume_after=position,
        )


def _event(image: StoredPost) -> PostRemoved | None:
    """Return the event about a removed post; None when it needs no event."""
    # A post that its author deleted has an event of its own already.
    if image.get("deleted", True):
        return None
    try:
        return expired_event(image, continued_trace(None))
    except (KeyError, TypeError, ValueError, AttributeError):
        log.info("what is gone was no post: %.100s", image.get("_id"))
        return None
