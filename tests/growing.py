"""What a test sees of a topic that grows: the users' load, and another consumer."""

from dataclasses import dataclass
from itertools import pairwise
from threading import Event, Thread

from kafka import KafkaConsumer
from partitioned import Load
from support import ENDPOINTS

from civildiy.chassis.clients.kafka import reader
from civildiy.contracts.posts.envelope import POSTS_TOPIC, decode


class Reader:
    """A consumer of another team: it reads all partitions as they come, and knows nothing of versions."""

    def __init__(self) -> None:
        self.seen: dict[str, list[int]] = {}
        self._done = Event()
        self._thread = Thread(target=self._read)

    def __enter__(self) -> "Reader":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _read(self) -> None:
        consumer: KafkaConsumer = reader(ENDPOINTS["kafka"])
        consumer.subscribe([POSTS_TOPIC])
        while not self._done.is_set():
            for records in consumer.poll(timeout_ms=200).values():
                for record in records:
                    event = decode(record.value)
                    self.seen.setdefault(event.data.post_id, []).append(event.postversion)
        consumer.close()

    def backwards(self) -> list[tuple[str, int, int]]:
        """Return each version of a post that came after a later one."""
        return [
            (post, before, after)
            for post, versions in self.seen.items()
            for before, after in pairwise(versions)
            if after < before
        ]


@dataclass(frozen=True)
class Growth:
    """The topic that grew while users wrote, and a consumer read; `said` is the output of the command."""

    load: Load
    reading: Reader
    said: str
