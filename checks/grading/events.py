"""Events that a check puts on the topic itself, and the view as Redis holds it."""

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
from civildiy.operations.rebuild import batches
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
"""Version of the event that takes a check's post back: beyond all others."""


@dataclass
class Post:
    """A post that exists in events only; `body()` is the event of its present state."""

    user: int
    words: str
    id: str = field(default_factory=lambda: str(ObjectId()))
    version: int = 1
    at: datetime = START

    def body(self, removed: bool = False) -> bytes:
        """The event as bytes: created, updated, or deleted."""
        _made[self.id] = self.user
        document = {
            "_id": self.id, "user_id": self.user, "title": self.words, "content": f"about {self.words}",
            "tags": [], "created_at": START, "updated_at": self.at, "expires_at": None,
            "version": self.version,
        }  # fmt: skip
        if removed:
            return encode(deleted_event(document, self.at, TRACE))
        kind = "post.created" if self.version == 1 else "post.updated"
        return encode(put_event(kind, document, self.at, TRACE))  # type: ignore[arg-type]

    def changed(self, words: str) -> "Post":
        """The next version of this post."""
        return Post(self.user, words, self.id, self.version + 1, self.at + timedelta(seconds=1))


_made: dict[str, int] = {}
"""Posts that were spoken of, with their users: MongoDB knows none of them."""


def take_back() -> None:
    """Remove all posts that exist in events only, so that nothing is in the view that is not in MongoDB.

    Their events stay on the topic, late and doubled as they are, where ./lab verify must not judge them.
    """
    gone = [Post(user, "", post_id, LAST) for post_id, user in _made.items()]
    if gone:
        end = publish((post.id, post.body(removed=True)) for post in gone)
        with redis() as client:
            client.set(keys.MADE_AT, end)
    _made.clear()


def stranger(rng: Random) -> int:
    """A user id that nobody has; the same seed may have run before: the next one is free."""
    with redis() as client:
        while client.exists(keys.of_user(user := rng.randrange(10**12, 10**15))):
            pass
    return user


def publish(records: Iterable[tuple[str | bytes | None, bytes | None]]) -> int:
    """Put (key, value) records on the topic; returns the offset after the last one."""
    client: KafkaProducer = producer(ENDPOINTS["kafka"])
    following = 0
    try:
        # In parts: on a slow machine many records at once would wait too long for their turn.
        for part in batches(records, PART):
            futures = [client.send(POSTS_TOPIC, key=_bytes(key), value=value) for key, value in part]
            following = max(int(future.get(20).offset) for future in futures) + 1
        return following
    finally:
        client.close(timeout=5)


def _bytes(key: str | bytes | None) -> bytes | None:
    return key.encode() if isinstance(key, str) else key


def settled(offset: int, within: float = 15) -> None:
    """Wait until the projector has gone beyond `offset`."""

    def there() -> bool:
        return int(stats()["next_offset"] or 0) >= offset or is_waiting(backend, "feed-projector")

    eventually(there, within=within, what="the projector to come to the end of these events")
    if is_waiting(backend, "feed-projector"):
        wrong("put events on the topic", expected="the projector to apply them", saw="it failed and waits",
              means="What your code raises ends the projector.")  # fmt: skip


def project(*records: tuple[Post, bytes]) -> None:
    """Publish the records and wait until they are projected."""
    settled(publish((post.id, body) for post, body in records))


def stats() -> dict[str, Any]:
    """The feed's own figures."""
    url = f"{ENDPOINTS['feed']}/api/activity-stream/stats"
    found: dict[str, Any] = checked_http.get(url, timeout=10).raise_for_status().json()
    return found


def redis() -> Redis:
    """A client of the view's Redis."""
    host, _, port = ENDPOINTS["redis"].rpartition(":")
    return Redis(host=host, port=int(port), socket_timeout=5)


def titles(user: int | None = None) -> list[str]:
    """The titles in one list of the view, first to last; None: everybody's."""
    with redis() as client:
        raw = client.lrange(key := keys.GLOBAL if user is None else keys.of_user(user), 0, -1)
    return [str(parsed(item, f"read an entry of {key} in Redis", "feed")["title"]) for item in raw]


def bury(key: str, value: bytes, reason: str) -> None:
    """Put a dead letter where the projector puts them."""
    client: KafkaProducer = producer(ENDPOINTS["kafka"])
    try:
        headers = [("reason", reason.encode())]
        client.send(DEAD_LETTER_TOPIC, key=key.encode(), value=value, headers=headers).get(20)
    finally:
        client.close(timeout=5)


def dead_letters() -> list[tuple[bytes, str]]:
    """Value and reason of each dead letter."""
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
