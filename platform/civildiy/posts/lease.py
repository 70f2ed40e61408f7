"""One relay at a time: a lease in MongoDB, by MongoDB's own clock."""

import time
from typing import Any

from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

LEASE_SECONDS = 5.0
RENEW_SECONDS = 1.0


class Lease:
    """The right to do `purpose`, held by one owner until it stops renewing.

    A restarted process has the same owner name and goes on at once; another one waits until the
    lease has run out.
    """

    def __init__(self, leases: Collection[dict[str, Any]], purpose: str, owner: str) -> None:
        self._leases = leases
        self._purpose = purpose
        self._owner = owner
        self._renewed = float("-inf")

    def held(self) -> bool:
        """Take or renew the lease; False while somebody else has it. Raises PyMongoError."""
        if time.monotonic() - self._renewed < RENEW_SECONDS:
            return True
        free = {"$or": [{"owner": self._owner}, {"$expr": {"$lt": ["$until", "$$NOW"]}}]}
        until = {"$add": ["$$NOW", int(LEASE_SECONDS * 1000)]}
        mine = [{"$set": {"owner": self._owner, "until": until}}]
        asked = time.monotonic()
        if not self._leases.update_one({"_id": self._purpose, **free}, mine).matched_count:
            # There is no lease yet, or somebody else has it; then the insert hits their id.
            nobodys = {"_id": self._purpose, "owner": {"$exists": False}}
            try:
                self._leases.update_one(nobodys, mine, upsert=True)
            except DuplicateKeyError:
                return False
        self._renewed = asked
        return True

    def release(self) -> None:
        """Let the next owner begin at once."""
        self._leases.delete_one({"_id": self._purpose, "owner": self._owner})
        self._renewed = float("-inf")
