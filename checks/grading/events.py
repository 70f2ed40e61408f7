"""Events that a check itself puts on the topic, and the view as it is in Redis."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from bson import ObjectId
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from redis import Redis

from civildiy.chassis.clients.kafka import producer, reader
from civildiy.contracts.posts.envelope import DEAD_LETTER_TOPIC, POSTS_TOPIC, encode
from civildiy.feed import keys
from civildiy.operations.batches import batches
from civildiy.posts.document import PostContent
from civildiy.posts.relay.outbox import deleted_event, put_event
from grading import checked_http
from grading.answers import parsed
from grading.outcome import wrong
from grading.stack import ENDPOINTS, backend
from grading.system import eventually
from lab.course.running import is_waiting

TRACE = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"
START = datetime(2026, 1, 1, tzinfo=UTC)
PART = 500
LAST = 10**6
"""The version of the event that removes a check's post again: higher than all others."""


@dataclass
class Post:
    """A post that exists only in events; `body()` is the event for its present state."""

    user: int
    words: str
    id: str = field(default_factory=lambda: str(ObjectId()))
    version: int = 1
    at: datetime = START

    def body(self, removed: bool = False) -> bytes:
        """Return the event as bytes: created, updated, or deleted."""
        _made[self.id] = self.user
        document: PostContent = {
            "_id": ObjectId(self.id), "user_id": self.user, "tags": [],
            "title": self.words, "content": f"about {self.words}",
            "created_at": START, "updated_at": self.at, "expires_at": None,
            "version": self.version,
        }  # fmt: skip
        if removed:
            return encode(deleted_event(document, self.at, TRACE))
        kind = "post.created" if self.version == 1 else "post.updated"
        return encode(put_event(kind, document, self.at, TRACE))  # type: ignore[arg-type]

    def changed(self, words: str) -> "Post":
        """Return the next version of this post."""
        return Post(self.user, words, self.id, self.version + 1, self.at + timedelta(seconds=1))


_made: dict[str, int] = {}
"""The posts for which events were made, with their users; MongoDB contains none of them."""


def take_back() -> None:
    """Remove all posts that exist only in events, so that the view contains only posts from MongoDB.

    Their late and repeated events stay on the topic. The view's offset is moved past them, so that
    ./lab verify does not judge them.
    """
    gone = [Post(user, "", post_id, LAST) for post_id, user in _made.items()]
    if gone:
        end = publish((post.id, post.body(removed=True)) for post in gone)
        with redis() as client:
            client.set(keys.REBUILD_OFFSET, end)
    _made.clear()


def stranger(rng: Random) -> int:
    """Return a user id without entries in Redis; after another run with this seed, the next free one."""
    with redis() as client:
        while client.exists(keys.of_user(user := rng.randrange(10**12, 10**15))):
            pass
    return user


def publish(records: Iterable[tuple[str | bytes | None, bytes | None]]) -> int:
    """Put (key, value) records on the topic; returns the offset after the last one."""
    client: KafkaProducer = producer(ENDPOINTS["kafka"])
    following = 0
    try:
        # In parts: on a slow machine, many records at once would exceed the producer's time limit.
        for part in batches(records, PART):
            futures = [client.send(POSTS_TOPIC, key=_bytes(key), value=value) for key, value in part]
            following = max(int(future.get(20).offset) for future in futures) + 1
        return following
    finally:
        client.close(timeout=5)


def _bytes(key: str | bytes | None) -> bytes | None:
    return key.encode() if isinstance(key, str) else key


def settled(offset: int, within: float = 15) -> None:
    """Wait until the projector has passed `offset`. Raises Wrong."""

    def there() -> bool:
        return int(stats()["next_offset"] or 0) >= offset or is_waiting(backend, "feed-projector")

    eventually(there, within=within, what="the projector to reach the end of these events")
    if is_waiting(backend, "feed-projector"):
        wrong("put events on the topic", expected="the projector to apply them", saw="it failed and waits",
              means="The projector stops when your code raises an exception.")  # fmt: skip


def project(*records: tuple[Post, bytes]) -> None:
    """Publish the records and wait until the projector has applied them."""
    settled(publish((post.id, body) for post, body in records))


def stats() -> dict[str, Any]:
    """Return the statistics that the feed reports about itself."""
    url = f"{ENDPOINTS['feed']}/api/activity-stream/stats"
    document: dict[str, Any] = checked_http.get(url, timeout=10).raise_for_status().json()
    return document


def redis() -> Redis:
    """Return a client of the view's Redis."""
    host, _, port = ENDPOINTS["redis"].rpartition(":")
    return Redis(host=host, port=int(port), socket_timeout=5)


def titles(user: int | None = None) -> list[str]:
    """Return the titles in one list of the view, newest first; None means the global feed."""
    with redis() as client:
        raw = client.lrange(key := keys.GLOBAL if user is None else keys.of_user(user), 0, -1)
    return [str(parsed(item, f"read an entry of {key} in Redis", "feed")["title"]) for item in raw]


def bury(key: str, value: bytes, reason: str) -> None:
    """Put a record on the dead letter topic, as the projector does."""
    client: KafkaProducer = producer(ENDPOINTS["kafka"])
    try:
        headers = [("reason", reason.encode())]
        client.send(DEAD_LETTER_TOPIC, key=key.encode(), value=value, headers=headers).get(20)
    finally:
        client.close(timeout=5)


def dead_letters() -> list[tuple[bytes, str]]:
    """Return value and reason of each dead letter."""
    consumer: KafkaConsumer = reader(ENDPOINTS["kafka"])
    partition = TopicPartition(DEAD_LETTER_TOPIC, 0)
    found: list[tuple[bytes, str]] = []
    try:
        consumer.assign([partition])
        end = consumer.end_offsets([partition])[partition]
        consumer.seek_to_beginning(partition)
        while consumer.position(partition) < end:
            for record in consumer.poll(timeout_ms=1000).get(partition, []):
                reason = dict(record.headers).get("reason", b"").decode(errors="replace")
                found.append((record.value, reason))
    finally:
        consumer.close()
    return found
