"""The pace of the relay: under steady writes it waits a moment, so that one batch holds several events.

A batch costs about 8 ms of processor time in MongoDB, the relay, Kafka and the projector, and nearly as much
when it holds one event as when it holds five. So a pause saves most of that time for each event. But a pause
before every batch would delay a single post, and most posts are single ones.
"""

from time import sleep

from bson import ObjectId
from pymongo.collection import Collection

from civildiy.posts.document import StoredPost
from civildiy.posts.relay.outbox import Outbox, Waiting

PAUSE_SECONDS = 0.025
"""Under steady writes an event waits for its batch no longer than this, and half of it on average."""


class PacedOutbox(Outbox):
    """An outbox that pauses before it is read while writes are steady.

    Writes are steady when events of other posts are waiting as soon as a batch is published, and as long as
    each batch holds more than one of them. (The next event of the same post had to wait, however rare writes
    are.) A full batch is a backlog, and the next one follows it at once.
    """

    def __init__(self, posts: Collection[StoredPost]) -> None:
        super().__init__(posts)
        self._steady = False
        self._before: set[ObjectId] = set()
        """The posts of the batch before."""

    def heads(self, limit: int) -> list[Waiting]:
        """Return the oldest pending event of each post, as Outbox does, after a pause if writes are steady.

        Raises PyMongoError.
        """
        if self._steady:
            sleep(PAUSE_SECONDS)
        found = super().heads(limit)
        posts = {waiting.post_id for waiting in found}
        needed = 2 if self._steady else 1
        self._steady = bool(self._before) and len(posts - self._before) >= needed and len(found) < limit
        self._before = posts
        return found
