"""The shards of the outbox: each is published by the one relay that holds its lease.

A post belongs to a shard by the last digits of its id. There are as many shards as the topic has partitions,
and the number is stored in MongoDB, beside the leases. With one shard a relay has all posts or waits. With
more, the relays that are alive divide the shards evenly.

While the topic gets more partitions, nobody may publish (docs/decisions/0038-partitions.md). So each relay
reads the number after it has taken or renewed its leases, and the tool that raises the number first writes
that it does, and then waits until no lease is left. One of both always sees the other.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pymongo.collection import Collection

from civildiy.posts.document import Query, StoredPost
from civildiy.posts.relay.lease import LEASE_SECONDS, RENEW_SECONDS, Lease

log = logging.getLogger(__name__)

LAYOUT = "layout"
DIGITS = "0123456789abcdef"
_MEMBER = "member:"
_IN_USE: Query = {"$expr": {"$gt": ["$until", "$$NOW"]}}

Leases = Collection[dict[str, Any]]


@dataclass(frozen=True)
class Layout:
    """The number of shards; None before a relay has stored it. `growing`: it is being raised."""

    shards: int | None
    growing: bool


def read_layout(leases: Leases) -> Layout:
    """Return the layout that all relays follow. Raises PyMongoError."""
    growing = {"growing": {"$gt": [{"$ifNull": ["$growing_until", None]}, "$$NOW"]}, "shards": 1}
    found = leases.find_one({"_id": LAYOUT}, growing) or {}
    return Layout(found.get("shards"), bool(found.get("growing")))


def purpose(shard: int) -> str:
    """Return the id of a shard's lease."""
    return f"relay-{shard}" if shard else "relay"


def shard_of(post_id: str, shards: int) -> int:
    """Return the shard of a post."""
    return int(post_id[-3:], 16) % shards


def in_shards(mine: set[int], shards: int) -> Query:
    """Return the part of a query that finds the posts of these shards; the same rule as `shard_of`."""
    if len(mine) == shards:
        return {}
    # Another program's document may have any `_id`, and must not stop the query.
    text = {"$convert": {"input": "$_id", "to": "string", "onError": "", "onNull": ""}}
    digits = [{"$indexOfBytes": [DIGITS, {"$substrBytes": [text, place, 1]}]} for place in (21, 22, 23)]
    number = {"$add": [{"$multiply": [digits[0], 256]}, {"$multiply": [digits[1], 16]}, digits[2]]}
    return {"$expr": {"$in": [{"$mod": [number, shards]}, sorted(mine)]}}


class ShardedPosts:
    """The collection of posts, of which `find` returns posts of some shards only."""

    def __init__(self, posts: Collection[StoredPost], mine: Callable[[], Query]) -> None:
        self._posts = posts
        self._mine = mine

    def find(self, *words: Any, **options: Any) -> Any:
        """Find posts of these shards, with the arguments of `Collection.find`."""
        query, *others = words or (options.pop("filter", {}),)
        return self._posts.find({**query, **self._mine()}, *others, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._posts, name)


class Shards:
    """The leases of one relay: to the relay they look like one `Lease`. Raises PyMongoError and KafkaError.

    `partitions` returns the number of the topic's partitions. It is called only while MongoDB has no layout.
    """

    def __init__(self, leases: Leases, owner: str, partitions: Callable[[], int]) -> None:
        self._leases = leases
        self._owner = owner
        self._partitions = partitions
        self._layout = Layout(None, growing=False)
        self._held: dict[int, Lease] = {}
        self._all: dict[int, Lease] = {}
        self._looked = float("-inf")
        self._sure = False
        """Whether the last look ended well: an error in it says nothing about the leases."""
        self.on_new_layout: Callable[[], None] = lambda: None
        """Called before the shards of another layout are taken: what knows the old number must go."""

    def held(self) -> bool:
        """Renew the leases and take free ones. Return False if there is none, or if one was lost since then.

        After False, nothing that was read before may be published.
        """
        if time.monotonic() - self._looked < RENEW_SECONDS:
            return self._sure
        began, self._looked, self._sure = time.monotonic(), float("-inf"), False
        sure = self._look()
        # Not before: after an error the next call must look again, and not return False as if all were well.
        self._looked = began
        return sure

    def _look(self) -> bool:
        if self._layout.growing:
            self._layout = read_layout(self._leases)
            if self._layout.growing:
                return False
        before = set(self._held)
        self._take()
        # Only now, with the leases taken: see the module's text.
        layout = read_layout(self._leases)
        if layout.shards is None and not layout.growing and 0 in self._held:
            self._store(self._partitions())
            layout = read_layout(self._leases)
        if layout.growing or layout.shards != self._shards:
            self._give_up(set(self._held))
            self.on_new_layout()
        self._layout = layout
        self._sure = bool(self._held)
        return self._sure and before <= set(self._held)

    @property
    def _shards(self) -> int:
        return self._layout.shards or 1

    def of(self, posts: Collection[StoredPost]) -> Collection[StoredPost]:
        """Return the collection as far as this relay may publish it."""
        return cast(Collection[StoredPost], ShardedPosts(posts, self.mine))

    def mine(self) -> Query:
        """Return the part of a query that finds the posts of the shards held now."""
        return in_shards(set(self._held), self._shards)

    def leads(self) -> bool:
        """Return whether this relay has the first shard, and so the work that one relay does for all."""
        return 0 in self._held

    def release(self) -> None:
        """Release all leases, so that the next owners can begin at once."""
        self._give_up(set(self._held))
        self._leases.delete_one({"_id": _MEMBER + self._owner})

    def _take(self) -> None:
        """Renew what is held, up to the share of this relay, and take what is missing to it."""
        share = self._share() if self._shards > 1 else 1
        for shard, lease in [*self._held.items()]:
            if not lease.held():
                del self._held[shard]
        self._give_up(set(sorted(self._held)[share:]))
        for shard in range(self._shards):
            if len(self._held) >= share:
                break
            lease = self._all.setdefault(shard, Lease(self._leases, purpose(shard), self._owner))
            if shard not in self._held and lease.held():
                self._held[shard] = lease

    def _share(self) -> int:
        """Return how many shards this relay should have: all that are alive differ by one at most."""
        until = {"$add": ["$$NOW", int(LEASE_SECONDS * 1000)]}
        mine = {"_id": _MEMBER + self._owner}
        self._leases.update_one(mine, [{"$set": {"until": until}}], upsert=True)
        alive = self._leases.find(
            {"_id": {"$regex": f"^{_MEMBER}"}, **_IN_USE}, {"_id": 1}, sort=[("_id", 1)]
        )
        names = [member["_id"] for member in alive]
        place = names.index(mine["_id"]) if mine["_id"] in names else len(names)
        return self._shards // max(len(names), 1) + (place < self._shards % max(len(names), 1))

    def _store(self, partitions: int) -> None:
        stored: Mapping[str, Any] = {"$setOnInsert": {"shards": partitions}}
        self._leases.update_one({"_id": LAYOUT}, stored, upsert=True)

    def _give_up(self, shards: set[int]) -> None:
        for shard in shards:
            self._held.pop(shard).release()
