"""Dead letters: what is wrong with them, and back on the topic after the fix.

Each letter is sent back once: the place up to which they were is kept as an offset committed to
Kafka. What cannot be applied then is buried again by the projector, with its new reason.
Blocking clients: a tool of its own.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata
from kafka.consumer.fetcher import ConsumerRecord
from redis import Redis

from civildiy.events.envelope import POSTS_TOPIC
from civildiy.events.topic import Topic
from civildiy.feed import keys

GROUP = "feed-redrive"
PUBLISH_SECONDS = 10.0
LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class DeadLetter:
    """An event that could not be applied. `offset` is its place among the dead letters."""

    offset: int
    reason: str
    key: bytes | None
    value: bytes | None

    @property
    def shown(self) -> str:
        """The beginning of its value, for people."""
        return (self.value or b"").decode(errors="replace")[:200]


@dataclass
class Redriven:
    """What became of the letters that were sent back."""

    sent: list[DeadLetter]
    dead_again: list[DeadLetter]
    applied: bool
    """Whether the projector got past all of them in time."""


class Redrive:
    """Sends dead letters back. `committed` is a consumer of GROUP that keeps the place."""

    def __init__(
        self, letters: Topic, committed: KafkaConsumer, producer: KafkaProducer, redis: Redis
    ) -> None:
        self._letters = letters
        self._committed = committed
        self._producer = producer
        self._redis = redis

    def waiting(self) -> list[DeadLetter]:
        """The letters that were not sent back yet, oldest first."""
        noted = self._committed.committed(self._letters.partition)
        self._letters.seek(max(noted or 0, self._letters.first()))
        return list(self._read(self._letters.end()))

    def run(self, patience: float) -> Redriven:
        """Send back all that wait now, and see what becomes of them within `patience` seconds."""
        sent = self.waiting()
        end = self._letters.position
        following = 0
        for letter in sent:
            done = self._producer.send(POSTS_TOPIC, key=letter.key, value=letter.value)
            following = done.get(PUBLISH_SECONDS).offset + 1
            # One by one: a tool that is killed here sends at most one letter twice.
            self._committed.commit({self._letters.partition: OffsetAndMetadata(letter.offset + 1, "", -1)})
        applied = self._applied(following, patience)
        mine = {letter.value for letter in sent}
        self._letters.seek(end)
        dead = [letter for letter in self._read(self._letters.end()) if letter.value in mine]
        return Redriven(sent, dead, applied)

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


def _reason(record: ConsumerRecord) -> str:
    return dict(record.headers).get("reason", b"").decode(errors="replace") or "no reason was kept"
