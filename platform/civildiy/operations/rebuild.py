"""Rebuilds the view beside the live one, and exchanges the two in one step.

Kafka deletes events after a week. So MongoDB provides the posts, and the topic only what happened since
the copy began. The new view is made in a second Redis database under the same keys; at the end SWAPDB
makes it the one that is read. Readers notice nothing, the projector goes on by itself, and a rebuild
that dies leaves nothing that anybody reads. The caller of `run` calls `leave` afterwards, however it ended.
"""

import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import uuid4

from redis import Redis

from civildiy.contracts.posts.envelope import PoisonEvent, PostEvent, UnknownType, decode
from civildiy.contracts.posts.whole_topic import TopicReader
from civildiy.feed import keys
from civildiy.feed.projector.whole_view import WholeProjection
from civildiy.operations.batches import batches
from civildiy.operations.other_partitions import BEHIND_IN_ANOTHER, first_of, forget_if_beyond, others_of
from civildiy.posts.snapshot import PostState

log = logging.getLogger(__name__)

BATCH = 500
LOCK_SECONDS = 20
FOLLOW_MS = 200

SWITCH = """
-- Put the new view in the place of the live one, if it is not behind it.
-- KEYS: lock, offset, then what the new view takes over as it is
-- ARGV: owner of the lock, next offset of the new view, number of its database
-- Returns 'switched', 'behind', or 'lost' when somebody else has the lock.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 'lost'
end
if tonumber(redis.call('GET', KEYS[2]) or 0) > tonumber(ARGV[2]) then
  return 'behind'
end
-- The lock holds until what is left of the old view is gone.
redis.call('COPY', KEYS[1], KEYS[1], 'DB', ARGV[3], 'REPLACE')
for n = 3, #KEYS do
  redis.call('COPY', KEYS[n], KEYS[n], 'DB', ARGV[3], 'REPLACE')
end
redis.call('SWAPDB', 0, ARGV[3])
return 'switched'
"""

LEAVE = """
-- Empty the database beside, then let the next rebuild begin; nothing when somebody else has the lock.
-- KEYS: lock  ARGV: owner, number of the database

if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('SELECT', ARGV[2])
  redis.call('FLUSHDB', 'ASYNC')
  redis.call('SELECT', 0)
  redis.call('DEL', KEYS[1])
end
"""

KEEP_LOCK = """
-- KEYS: lock  ARGV: owner, seconds
return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('EXPIRE', KEYS[1], ARGV[2])
"""


class RebuildFailed(Exception):
    """The live view is as it was; the text says why, and what to do."""


@dataclass
class Summary:
    """What a rebuild did."""

    posts: int = 0
    """Posts that MongoDB named."""
    followed: int = 0
    """Events that were applied on top."""
    seconds: float = 0.0


class Rebuild:
    """One rebuild. `live` and `beside` are database 0 and keys.REBUILD_DATABASE of the same Redis."""

    def __init__(self, live: Redis, beside: Redis, topic: TopicReader, patience: float = 60.0) -> None:
        self._live = live
        self._beside = beside
        self._topic = topic
        self._patience = patience
        self._owner = str(uuid4())
        self._new = WholeProjection(beside)

    def run(self, posts: Iterable[PostState]) -> Summary:
        """Make a view of `posts` and of all later events, switch to it, and return what was done.

        The order: `_lock()`, `_empty()` and `_forget_another_topic()`, which take and return nothing. Then
        call `self._topic.seek(offset)` with `self._topic.end()`, and store this offset in the new view by
        `self._new.apply([], self._topic.position, 0, 0)`. Only then call `_load(posts) -> int`, because it
        iterates `posts`, and that queries MongoDB. Then `_keep_removals()`, and last `_follow() -> int`. The
        summary holds both numbers.
        Raises RebuildFailed, and the errors of Redis, Kafka and of `posts`; the live view is untouched then.

        Example: Summary(posts=1200, followed=31)
        """
        self._lock()
        self._empty()
        self._forget_another_topic()
        # In this order: what was published before this offset is in the posts as they are read now.
        self._topic.seek(self._topic.end())
        self._new.apply([], self._topic.position, 0, 0)  # also a view of no posts ends somewhere
        loaded = self._load(posts)
        self._keep_removals()
        return Summary(posts=loaded, followed=self._follow())

    def leave(self) -> None:
        """Take away what a rebuild leaves, finished or not, and only then its lock. Raises RedisError."""
        self._live.eval(LEAVE, 1, keys.REBUILD, self._owner, keys.REBUILD_DATABASE)

    def _load(self, posts: Iterable[PostState]) -> int:
        """Apply the last event of each post to the new view; returns the number of posts."""
        loaded = 0
        for states in batches(posts, BATCH):
            self._keep_lock()
            self._new.apply([state.event for state in states], self._topic.position, 0, 0)
            loaded += len(states)
        log.info("%s posts from MongoDB", loaded)
        return loaded

    def _keep_removals(self) -> None:
        """Take over which posts were removed: MongoDB no longer knows, and late events may come.

        Only posts without an entry: the version of a post that is still there would make the new
        view refuse the events that it has yet to read.
        """
        for names in batches(self._live.scan_iter(keys.of_post("*"), count=1000), BATCH):
            self._keep_lock()
            pipeline = self._live.pipeline(transaction=False)
            for name in names:
                pipeline.hmget(name, "version", "entry")
            known = pipeline.execute()
            removed = {n: v for n, (v, entry) in zip(names, known, strict=True) if v and entry is None}
            pipeline = self._beside.pipeline(transaction=False)
            for name, version in removed.items():
                pipeline.hsetnx(name, "version", version)
                pipeline.expire(name, keys.POST_SECONDS)
            pipeline.execute()

    def _follow(self) -> int:
        """Apply what was published meanwhile, until the switch; return the number of events.

        Example: the end noted first is 900: read up to position 900, and switch.

        `self._topic.end()` is the offset after the last event, `self._topic.position` that of the next one to
        read. Try `self._switch()` only when the position has reached the end that you noted first. Otherwise
        call `self._keep_lock()`, read with `self._topic.read(FOLLOW_MS)` (a list of records, empty when none
        came in so many milliseconds), take the events by `_usable(record.value for record in records)`, an
        iterator, and apply a list of them with `self._new.apply(events, self._topic.position, 0, 0)`. Raise
        `self._too_late()`, a RebuildFailed, if there was no switch within `self._patience` seconds of this
        call; measure them by `time.monotonic()`.
        """
        followed = 0
        published = self._topic.end()
        deadline = time.monotonic() + self._patience
        while True:
            if self._topic.position >= published and self._switch():
                return followed
            if time.monotonic() > deadline:
                raise self._too_late()
            self._keep_lock()
            events = list(_usable(record.value for record in self._topic.read(FOLLOW_MS)))
            self._new.apply(events, self._topic.position, 0, 0)
            followed += len(events)

    def _too_late(self) -> RebuildFailed:
        """Return the error for a new view that does not catch up with the live one."""
        return RebuildFailed(
            f"The new view did not catch up with the live one in {self._patience:.0f} s, so nothing"
            " was switched. Look at the load, then run it again."
        )

    def _switch(self) -> bool:
        """Swap the databases in one step by SWITCH; False when the live view is ahead again.

        SWITCH gets four KEYS: the lock, the offset, the counters and the projector's sign of life. Its ARGV:
        the name of this rebuild, the next offset of the new view, the number of the new view's database. It
        returns 'lost' if the lock has another owner, 'behind' if the live view's offset is higher, and
        otherwise 'switched', after it has copied lock, counters and sign of life to the new view and swapped.
        """
        names = (keys.REBUILD, keys.OFFSET, keys.COUNTERS, keys.PROJECTOR)
        position = self._topic.position
        script, others = SWITCH, others_of(position)
        if others:
            script = BEHIND_IN_ANOTHER + SWITCH
        arguments = (self._owner, first_of(position), keys.REBUILD_DATABASE, *others)
        said = self._live.eval(script, len(names), *names, *arguments)
        if said == b"lost":
            raise RebuildFailed("Another rebuild took over, so this one ends. Nothing was switched by it.")
        return bool(said == b"switched")

    def _lock(self) -> None:
        """Take the lock, so that one rebuild runs at a time; a killed one's lock expires."""
        deadline = time.monotonic() + LOCK_SECONDS + 5
        while not self._live.set(keys.REBUILD, self._owner, nx=True, ex=LOCK_SECONDS):
            if time.monotonic() > deadline:
                raise RebuildFailed("Another rebuild is running. Wait until it has ended.")
            time.sleep(0.2)

    def _keep_lock(self) -> None:
        if not self._live.eval(KEEP_LOCK, 1, keys.REBUILD, self._owner, LOCK_SECONDS):
            raise RebuildFailed("This rebuild stood still for too long and lost its lock. Run it again.")

    def _forget_another_topic(self) -> None:
        """An offset beyond the end belongs to an earlier topic of this name: nothing reaches it."""
        forget_if_beyond(self._live, self._topic.end)

    def _empty(self) -> None:
        """Begin with nothing but a name for the new view; a killed rebuild may have left its data."""
        self._beside.flushdb(asynchronous=True)
        self._beside.set(keys.GENERATION, self._owner)


def _usable(values: Iterable[bytes | None]) -> Iterator[PostEvent]:
    """The events that can be applied; the projector deals with the others."""
    for value in values:
        try:
            yield decode(value)
        except (UnknownType, PoisonEvent):
            continue
