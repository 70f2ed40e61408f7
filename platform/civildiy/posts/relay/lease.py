"""One relay at a time: a lease in MongoDB, by MongoDB's own clock."""

import time
from typing import Any
from uuid import uuid4

from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

LEASE_SECONDS = 15.0
"""Longer than a record may wait in the producer (clients.DELIVERY_MS): what a relay sent while it had the
lease is on the topic, or given up, before another one begins."""
RENEW_SECONDS = 1.0


class Lease:
    """The right to do `purpose`, held by one process until it stops renewing.

    A restarted process has the same owner name and goes on at once; another one waits until the lease has
    run out. So does a process that stood still while its successor of the same name took over.
    """

    def __init__(self, leases: Collection[dict[str, Any]], purpose: str, owner: str) -> None:
        self._leases = leases
        self._purpose = purpose
        self._owner = owner
        self._process = str(uuid4())
        self._renewed: float | None = None

    def held(self) -> bool:
        """Take or renew the lease; False while somebody else has it. Raises PyMongoError."""
        if self._renewed is not None and time.monotonic() - self._renewed < RENEW_SECONDS:
            return True
        # Only the first time the name is enough.
        mine = {"owner": self._owner} if self._renewed is None else {"process": self._process}
        free = {"$or": [mine, {"$expr": {"$lt": ["$until", "$$NOW"]}}]}
        until = {"$add": ["$$NOW", int(LEASE_SECONDS * 1000)]}
        taken = [{"$set": {"owner": self._owner, "process": self._process, "until": until}}]
        asked = time.monotonic()
        if not self._leases.update_one({"_id": self._purpose, **free}, taken).matched_count:
            # There is no lease yet, or somebody else has it; then the insert hits their id.
            nobodys = {"_id": self._purpose, "owner": {"$exists": False}}
            try:
                self._leases.update_one(nobodys, taken, upsert=True)
            except DuplicateKeyError:
                self._renewed = float("-inf") if self._renewed is not None else None
                return False
        self._renewed = asked
        return True

    def release(self) -> None:
        """Let the next owner begin at once."""
        self._leases.delete_one({"_id": self._purpose, "process": self._process})
        self._renewed = None
