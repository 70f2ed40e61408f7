"""Dead letters: list them with their reasons, and send them back to the topic once the fault is fixed.

Each letter is sent back once: an offset committed to Kafka tells up to which letter. The projector moves an
event that it still cannot apply to the dead letters again, with the new reason. Letters stay longer than the
view remembers removed posts, so of an old post only the present version is sent. Blocking clients.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Collection as Many
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

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
    """An event that could not be applied. `offset` is its offset on the topic of dead letters."""

    offset: int
    reason: str
    key: bytes | None
    value: bytes | None

    @property
    def shown(self) -> str:
        """The first 200 characters of its value."""
        return (self.value or b"").decode(errors="replace")[:200]


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
        noted = self._committed.committed(self._letters.partition)
        self._letters.seek(max(noted or 0, self._letters.first()))
        return list(self._read(self._letters.end()))

    def run(self, patience: float) -> Redriven:
        """Send back all letters that wait now, and wait up to `patience` seconds for the results."""
        waiting = self.waiting()
        end = self._letters.position
        outdated = self._outdated(waiting)
        left_out = {letter.offset for letter in outdated}
        following = 0
        for letter in waiting:
            if letter.offset not in left_out:
                done = self._producer.send(
                    POSTS_TOPIC, key=letter.key, value=letter.value, headers=[CONTENT_TYPE]
                )
                following = done.get(PUBLISH_SECONDS).offset + 1
            # Committed one by one: if the tool is killed here, it sends at most one letter twice.
            self._committed.commit({self._letters.partition: OffsetAndMetadata(letter.offset + 1, "", -1)})
        applied = self._applied(following, patience)
        sent = [letter for letter in waiting if letter.offset not in left_out]
        sent_values = {letter.value for letter in sent}
        self._letters.seek(end)
        dead = [letter for letter in self._read(self._letters.end()) if letter.value in sent_values]
        return Redriven(sent, dead, outdated, applied)

    def _outdated(self, letters: Sequence[DeadLetter]) -> list[DeadLetter]:
        """Return letters that could bring back a removed text: only MongoDB still knows of the removal."""
        forgotten = datetime.now(UTC) - timedelta(seconds=keys.POST_SECONDS)
        old = {
            letter.offset: event
            for letter in letters
            if (event := _put(letter)) and created(event.data.post_id) < forgotten
        }
        if not old:
            return []
        now = {s.event.data.post_id: s.event for s in self._posts({e.data.post_id for e in old.values()})}

        def is_present(event: PostPut) -> bool:
            last = now.get(event.data.post_id)
            return isinstance(last, PostPut) and last.postversion == event.postversion

        return [each for each in letters if each.offset in old and not is_present(old[each.offset])]

    def _applied(self, offset: int, patience: float) -> bool:
        deadline = time.monotonic() + patience
        while int(self._redis.get(keys.OFFSET) or 0) < offset:
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_SECONDS)
        return True

    def _read(self, end: int) -> Iterator[DeadLetter]:
        for record in self._letters.until(end):
            yield DeadLetter(record.offset, _reason(record), record.key, record.value)


def _put(letter: DeadLetter) -> PostPut | None:
    """Return the post's state in the letter, if the event can be read by now."""
    try:
        event = decode(letter.value)
    except (UnknownType, PoisonEvent):
        return None
    return event if isinstance(event, PostPut) else None


def _reason(record: ConsumerRecord) -> str:
    return dict(record.headers).get("reason", b"").decode(errors="replace") or "no reason was kept"
