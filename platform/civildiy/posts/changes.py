"""Changes of posts as MongoDB reports them: to wake the relay, and to notice expiry."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pymongo.change_stream import CollectionChangeStream
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

log = logging.getLogger(__name__)

Document = dict[str, Any]

_WANTED = [
    {
        "$match": {
            "$or": [
                {"operationType": {"$in": ["insert", "replace", "delete"]}},
                # Each change by the API sets a version; the relay's own marking does not.
                {"updateDescription.updatedFields.version": {"$exists": True}},
            ]
        }
    }
]

_NO_WAY_BACK = (260, 286)
"""MongoDB's codes for a position that cannot be gone on from, or that its log no longer reaches."""


@dataclass(frozen=True)
class Seen:
    """What a wait brought.

    `changed` is false when the time ran out. `removed` is the last state of a post that MongoDB
    removed by itself. `position` is where to go on once this is dealt with.
    """

    changed: bool
    removed: Document | None
    position: Mapping[str, Any] | None


class Changes:
    """A change stream over the posts that goes on where it was left, across restarts."""

    def __init__(self, posts: Collection[Document], positions: Collection[Document], name: str) -> None:
        self._posts = posts
        self._positions = positions
        self._name = name
        self._stream: CollectionChangeStream[Document] | None = None

    def wait(self, milliseconds: int) -> Seen:
        """Block until the next change, at most `milliseconds`. Raises PyMongoError.

        After an error or a restart the changes come again from the last position that was kept.
        """
        if self._stream is None:
            self._stream = self._open(milliseconds)
        change = self._stream.try_next()
        if not self._stream.alive:
            log.error("the collection is gone, and the change stream with it: beginning a new one")
            self.close()
            return Seen(False, None, None)
        return Seen(change is not None, _removed(change), self._stream.resume_token)

    def keep(self, position: Mapping[str, Any] | None) -> None:
        """Remember that everything up to `position` is done."""
        self._positions.update_one({"_id": self._name}, {"$set": {"position": position}}, upsert=True)

    def close(self) -> None:
        """Close the stream; the next wait opens it again at the kept position."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _open(self, milliseconds: int) -> CollectionChangeStream[Document]:
        kept = self._positions.find_one({"_id": self._name})
        position = kept["position"] if kept else None
        try:
            return self._watch(milliseconds, position)
        except OperationFailure as error:
            if error.code not in _NO_WAY_BACK:
                raise
            log.error("the change stream's history is lost: expiries meanwhile went unnoticed")
            return self._watch(milliseconds, None)

    def _watch(
        self, milliseconds: int, position: Mapping[str, Any] | None
    ) -> CollectionChangeStream[Document]:
        return self._posts.watch(
            _WANTED,
            full_document_before_change="whenAvailable",
            max_await_time_ms=milliseconds,
            resume_after=position,
        )


def _removed(change: Mapping[str, Any] | None) -> Document | None:
    if change is None or change["operationType"] != "delete":
        return None
    before: Document | None = change.get("fullDocumentBeforeChange")
    if before is None:
        log.warning("post %s is gone and left no image", change["documentKey"]["_id"])
        return None
    # A post that its owner deleted has said so with an event of its own.
    # What is no post at all, somebody else's document, is nothing to tell.
    return None if before.get("deleted", True) else before
