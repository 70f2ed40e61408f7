"""The lease: it makes sure that one relay works at a time. MongoDB keeps it, and MongoDB's clock decides."""

import time
from typing import Any
from uuid import uuid4

from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

LEASE_SECONDS = 15.0
"""Longer than a record may wait in the producer (`DELIVERY_MS`). So every record that a relay sent while it
had the lease is on the topic, or has failed, before another relay begins."""
RENEW_SECONDS = 1.0


class Lease:
    """The right to do `purpose`, which one process has until it stops renewing it.

    A restarted process has the same owner name and continues at once. Any other process waits until the lease
    has expired. A process that was paused waits too, if a new process of the same name took over meanwhile.
    """

    def __init__(self, leases: Collection[dict[str, Any]], purpose: str, owner: str) -> None:
        self._leases = leases
        self._purpose = purpose
        self._owner = owner
        self._process = str(uuid4())
        self._renewed: float | None = None

    def held(self) -> bool:
        """Take or renew the lease; return False while another process has it. Raises PyMongoError."""
        if self._renewed is not None and time.monotonic() - self._renewed < RENEW_SECONDS:
            return True
        # The owner's name is enough for the first time only.
        own = {"owner": self._owner} if self._renewed is None else {"process": self._process}
        free = {"$or": [own, {"$expr": {"$lt": ["$until", "$$NOW"]}}]}
        until = {"$add": ["$$NOW", int(LEASE_SECONDS * 1000)]}
        taken = [{"$set": {"owner": self._owner, "process": self._process, "until": until}}]
        asked = time.monotonic()
        if not self._leases.update_one({"_id": self._purpose, **free}, taken).matched_count:
            # Either there is no lease yet, or another process has it and the insert finds the same id.
            nobodys = {"_id": self._purpose, "owner": {"$exists": False}}
            try:
                self._leases.update_one(nobodys, taken, upsert=True)
            except DuplicateKeyError:
                self._renewed = float("-inf") if self._renewed is not None else None
                return False
        self._renewed = asked
        return True

    def release(self) -> None:
        """Release the lease, so that the next owner can begin at once."""
        self._leases.delete_one({"_id": self._purpose, "process": self._process})
        self._renewed = None
