"""The pace of the relay: how soon it reads the next batch, and how many events a batch may hold.

Under steady writes it waits a moment, so that one batch holds several events. A batch costs about 8 ms of
processor time in MongoDB, the relay, Kafka and the projector, and nearly as much when it holds one event as
when it holds five. So a pause saves most of that time for each event. But a pause before every batch would
delay a single post, and most posts are single ones.

A batch is in memory several times: in MongoDB's answer, as events, and in the records that wait for Kafka.
100 of the largest events needed 25 MB more, which the process keeps afterwards. So after large events the
next batch is a short one.
"""

from collections.abc import Sequence
from time import sleep

from bson import ObjectId
from pymongo.collection import Collection

from civildiy.posts.document import StoredPost
from civildiy.posts.relay.outbox import Outbox, Waiting

PAUSE_SECONDS = 0.025
"""Under steady writes an event waits for its batch no longer than this, and half of it on average."""
BATCH_BYTES = 1024 * 1024
"""So many bytes of events are read at once, if none is larger than the largest one of the last batch."""
FIRST_BATCH = 10
"""The most events of the first batch. Each batch may hold twice as many as the one before."""


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
        self._fitting = FIRST_BATCH

    def heads(self, limit: int) -> list[Waiting]:
        """Return the oldest pending event of each post, as Outbox does, after a pause if writes are steady.

        Of `limit` events only so many are read as fit into BATCH_BYTES. Raises PyMongoError.
        """
        limit = min(limit, self._fitting)
        if self._steady:
            sleep(PAUSE_SECONDS)
        found = super().heads(limit)
        self._fitting = _fitting(found, limit)
        posts = {waiting.post_id for waiting in found}
        needed = 2 if self._steady else 1
        self._steady = bool(self._before) and len(posts - self._before) >= needed and len(found) < limit
        self._before = posts
        return found


def _fitting(found: Sequence[Waiting], limit: int) -> int:
    """Return how many events the next batch may hold; `limit` was that of the last one, `found`."""
    if not found:
        return FIRST_BATCH  # the next events may have any size
    largest = max(1, *(len(waiting.body) for waiting in found))
    return max(1, min(2 * limit, BATCH_BYTES // largest))
