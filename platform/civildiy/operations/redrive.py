"""Dead letters: list them with their reasons, and send them back to the topic once the fault is fixed.

Each letter is sent back once: an offset committed to Kafka tells up to which letter. The projector moves an
event that it still cannot apply to the dead letters again, with the new reason. Letters stay longer than the
view remembers removed posts, so of an old post only the present version is sent. Blocking clients.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Collection as Many
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata
from kafka.consumer.fetcher import ConsumerRecord
from redis import Redis

from civildiy.contracts.posts.envelope import (
    CONTENT_TYPE,
    POSTS_TOPIC,
    PoisonEvent,
    PostPut,
    UnknownType,
    decode,
)
from civildiy.contracts.posts.topic_reader import Topic
from civildiy.feed import keys
from civildiy.posts.snapshot import PostState, created

GROUP = "feed-redrive"
PUBLISH_SECONDS = 10.0
LOOK_SECONDS = 0.05

Posts = Callable[[Many[str]], Iterable[PostState]]
"""The present states of the posts with these ids. Raises PyMongoError."""


@dataclass(frozen=True)
class DeadLetter:
    """What is kept of an event that could not be applied. Its value, up to a megabyte, stays in Kafka."""

    offset: int
    """On the topic of dead letters."""
    reason: str
    shown: str
    """The first 200 characters of its value."""
    digest: bytes
    """Of its whole value."""


@dataclass
class Redriven:
    """The result for each letter that waited."""

    sent: list[DeadLetter]
    dead_again: list[DeadLetter]
    outdated: list[DeadLetter]
    """Not sent: their posts have changed or are removed, and the view may have forgotten that."""
    applied: bool
    """Whether the projector has processed all of them in time."""


class Redrive:
    """Sends dead letters back. `committed` is a consumer of GROUP; its offset tells what is sent."""

    def __init__(
        self, letters: Topic, committed: KafkaConsumer, producer: KafkaProducer, redis: Redis, posts: Posts
    ) -> None:
        self._letters = letters
        self._committed = committed
        self._producer = producer
        self._redis = redis
        self._posts = posts

    def waiting(self) -> list[DeadLetter]:
        """Return the letters that were not sent back yet, oldest first."""
        return [_letter(record) for record in self._records()]

    def run(self, patience: float) -> Redriven:
        """Send back all letters that wait now, and wait up to `patience` seconds for the results.

        One letter is in memory at a time, because a flood of large ones would not fit.
        """
        sent: list[DeadLetter] = []
        outdated: list[DeadLetter] = []
        following: dict[int, int] = {}
        for record in self._records():
            if self._is_outdated(record):
                outdated.append(_letter(record))
            else:
                done = self._producer.send(
                    POSTS_TOPIC, key=record.key, value=record.value, headers=[CONTENT_TYPE]
                )
                there = done.get(PUBLISH_SECONDS)
                following[there.partition] = there.offset + 1
                sent.append(_letter(record))
            # Committed one by one: if the tool is killed here, it sends at most one letter twice.
            self._committed.commit({self._letters.partition: OffsetAndMetadata(record.offset + 1, "", -1)})
        end = self._letters.position
        applied = self._applied(following, patience)
        digests = {letter.digest for letter in sent}
        self._letters.seek(end)
        letters = map(_letter, self._letters.until(self._letters.end()))
        dead = [letter for letter in letters if letter.digest in digests]
        return Redriven(sent, dead, outdated, applied)

    def _records(self) -> Iterator[ConsumerRecord]:
        """Return the letters that wait now."""
        noted = self._committed.committed(self._letters.partition)
        self._letters.seek(max(noted or 0, self._letters.first()))
        return self._letters.until(self._letters.end())

    def _is_outdated(self, record: ConsumerRecord) -> bool:
        """Return whether a letter could bring back a removed text; only MongoDB still knows of removals."""
        event = _put(record.value)
        forgotten = datetime.now(UTC) - timedelta(seconds=keys.POST_SECONDS)
        if event is None or created(event.data.post_id) >= forgotten:
            return False
        last = next((state.event for state in self._posts([event.data.post_id])), None)
        return not (isinstance(last, PostPut) and last.postversion == event.postversion)

    def _applied(self, offsets: Mapping[int, int], patience: float) -> bool:
        """Wait until the view has passed these offsets, by partition; False when it has not in time."""
        deadline = time.monotonic() + patience
        for partition, offset in offsets.items():
            while int(self._redis.get(keys.offset_of(partition)) or 0) < offset:
                if time.monotonic() > deadline:
                    return False
                time.sleep(LOOK_SECONDS)
        return True


def _letter(record: ConsumerRecord) -> DeadLetter:
    value = record.value or b""
    # A character has four bytes at most, so these bytes hold 200 of them.
    shown = value[:800].decode(errors="replace")[:200]
    return DeadLetter(record.offset, _reason(record), shown, blake2b(value).digest())


def _put(value: bytes | None) -> PostPut | None:
    """Return the post's state in a letter, if the event can be read by now."""
    try:
        event = decode(value)
    except (UnknownType, PoisonEvent):
        return None
    return event if isinstance(event, PostPut) else None


def _reason(record: ConsumerRecord) -> str:
    return dict(record.headers).get("reason", b"").decode(errors="replace") or "no reason was kept"
