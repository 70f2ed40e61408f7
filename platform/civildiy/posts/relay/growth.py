"""The relays' part when the topic gets more partitions: a note for them, which ends their work for a while.

One tool writes the note, each relay reads it (shards.py). The note ends by itself, so that a tool that was
killed stops nobody for long. Blocking client: for tools.
"""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from civildiy.posts.document import Query
from civildiy.posts.relay.shards import LAYOUT, Leases

NOTE_SECONDS = 60.0
"""The note lasts for so long after it was last renewed."""


class Growth:
    """The right to change the number of shards, which one tool has at a time. Raises PyMongoError."""

    def __init__(self, leases: Leases) -> None:
        self._leases = leases
        self._tool = str(uuid4())

    def keep(self) -> bool:
        """Write the note, or renew it; return False while another tool has one."""
        until = {"$add": ["$$NOW", int(NOTE_SECONDS * 1000)]}
        note: list[Mapping[str, Any]] = [{"$set": {"growing_until": until, "grower": self._tool}}]
        ended = {"$lte": [{"$ifNull": ["$growing_until", None]}, "$$NOW"]}
        free: Query = {"$or": [{"grower": self._tool}, {"$expr": ended}]}
        # MongoDB allows no $expr in an update that may insert.
        self._leases.update_one({"_id": LAYOUT}, {"$setOnInsert": {"growing_until": None}}, upsert=True)
        return bool(self._leases.update_one({"_id": LAYOUT, **free}, note).matched_count)

    def publishing(self) -> int:
        """Return how many leases are left. While there is none, nobody publishes."""
        held: Query = {"_id": {"$regex": r"^relay(-\d+)?$"}, "$expr": {"$gt": ["$until", "$$NOW"]}}
        return self._leases.count_documents(held)

    def shards(self) -> int | None:
        """Return the number of shards that the relays knew before."""
        found = self._leases.find_one({"_id": LAYOUT}) or {}
        return found.get("shards")

    def finish(self, shards: int) -> None:
        """Store the new number of shards and remove the note, in one write: the relays go on."""
        done = {"$set": {"shards": shards}, "$unset": {"growing_until": "", "grower": ""}}
        self._leases.update_one({"_id": LAYOUT, "grower": self._tool}, done)

    def cancel(self) -> None:
        """Remove the note, if it is still this tool's: the relays go on as before."""
        mine = {"_id": LAYOUT, "grower": self._tool}
        self._leases.update_one(mine, {"$unset": {"growing_until": "", "grower": ""}})
