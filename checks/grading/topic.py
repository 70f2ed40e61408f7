"""Read the topic of the posts' events, and run relays that belong to a check."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from subprocess import Popen, TimeoutExpired
from typing import Any

import psutil
from kafka import KafkaConsumer, TopicPartition

from civildiy.chassis.clients.kafka import reader
from civildiy.contracts.posts.envelope import POSTS_TOPIC
from grading.answers import LONGEST, Source, held
from grading.learner_process import run_module
from grading.outcome import NotGradable, Wrong, require
from grading.stack import ENDPOINTS, backend
from grading.system import eventually
from lab.course.exercise import Exercise
from lab.course.running import is_waiting

RELAY = "posts-relay"
PARTITION = TopicPartition(POSTS_TOPIC, 0)

PROGRAM = """
import sys, threading
from civildiy.posts.relay.main import main
sys.stdin.readline() or sys.exit()
# It must end when its check has ended.
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
main()
"""
"""A relay that starts when it reads a line."""


@dataclass(frozen=True)
class Seen:
    """One event on the topic."""

    key: str
    body: dict[str, Any]

    @property
    def version(self) -> int:
        """The version of the post in this event, 0 if it has none."""
        version = self.body.get("postversion")
        return version if isinstance(version, int) else 0

    @property
    def id(self) -> str:
        """The event's id."""
        return str(self.body.get("id"))


def _seen(key: bytes, value: bytes) -> Seen:
    """Return a record as an event whose missing fields raise Odd. Raises ValueError for other JSON."""
    text = value.decode()
    body = json.loads(text)
    if not isinstance(body, dict):
        raise ValueError(text)
    source = Source(f"read an event from the topic {POSTS_TOPIC}", text[:LONGEST], "posts")
    return Seen(key.decode(errors="replace"), held(body, source))


class Listener:
    """Reads the topic from its end at the time of creation, or from `start`."""

    def __init__(self, start: int | None = None) -> None:
        self._consumer: KafkaConsumer = reader(ENDPOINTS["kafka"])
        self._consumer.assign([PARTITION])
        self.start = self.end() if start is None else start
        self._consumer.seek(PARTITION, self.start)
        self._seen: list[Seen] = []

    def end(self) -> int:
        """Return the offset after the newest record."""
        return int(self._consumer.end_offsets([PARTITION], timeout_ms=10_000)[PARTITION])

    def all(self) -> list[Seen]:
        """Return all events since the beginning, without records that are not JSON objects."""
        end = self.end()
        while self._consumer.position(PARTITION) < end:
            for record in self._consumer.poll(timeout_ms=500).get(PARTITION, []):
                with suppress(ValueError):
                    self._seen.append(_seen(record.key or b"", record.value))
        return self._seen

    def of(self, post: str) -> list[Seen]:
        """Return the events of one post, selected by their subject."""
        return [seen for seen in self.all() if seen.body.get("subject") == post]

    def wait(self, versions: dict[str, int], within: float = 10) -> None:
        """Block until the given version of each post is on the topic, or until the time is over."""
        self._wait({(post, version) for post, version in versions.items()}, within)

    def wait_for_all(self, versions: dict[str, int], within: float = 10) -> None:
        """Block until every version up to the given one is on the topic, or until the time is over."""
        every = {(post, number + 1) for post, version in versions.items() for number in range(version)}
        self._wait(every, within)

    def _wait(self, expected: set[tuple[str, int]], within: float) -> None:
        def there() -> bool:
            return expected <= {(str(seen.body.get("subject")), seen.version) for seen in self.all()}

        with suppress(Wrong):  # the caller reports which events are missing, which tells more
            eventually(lambda: there() or is_waiting(backend, RELAY), within=within, what="events")

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close()


@contextmanager
def listening(start: int | None = None) -> Iterator[Listener]:
    """Yield a listener that reads from now on, or from `start`."""
    listener = Listener(start)
    try:
        yield listener
    finally:
        listener.close()


def nothing_lost_or_mixed_up(listener: Listener, wanted: dict[str, int], did: str) -> None:
    """Check that each post's events have versions 1 to n, first seen in this order, each with one id."""
    lost, order, ids = [], [], []
    for post, last in wanted.items():
        seen = listener.of(post)
        first = list(dict.fromkeys(event.version for event in seen))
        lost += [f"{post} v{n}" for n in range(1, last + 1) if n not in first]
        order += [f"{post}: {first}"] if first != sorted(first) else []
        ids += [f"{post} v{n}" for n in first if len({event.id for event in seen if event.version == n}) > 1]
    require(
        not lost,
        did,
        expected="every event on the topic",
        saw=f"{len(lost)} of {sum(wanted.values())} lost: {', '.join(lost[:5])}",
        means="An event may leave the outbox only when the broker has acknowledged it.",
    )
    require(
        not order,
        did,
        expected="the events of each post in the order of its versions",
        saw="; ".join(order[:3]),
        means="Only the oldest event of a post may be on its way, and only one relay may send.",
    )
    require(
        not ids,
        did,
        expected="one id for each change, also when it is sent again",
        saw=f"several ids for {', '.join(ids[:5])}",
        means="Readers know a repeated event by its id. It is made with the change, never when sending.",
    )


class OwnRelays:
    """Relays that the check runs, with the same code and settings as the unit posts-relay."""

    def __init__(self, lab: Exercise, name: str = "") -> None:
        self._lab, self._name = lab, name
        self._next = self._prepare()
        self.running: Popen[str] | None = None

    def _prepare(self) -> Popen[str]:
        # Loads everything, then waits for a line, so that the next relay can start at once.
        name = f"os.environ['RELAY_ID'] = {self._name!r}\n" if self._name else ""
        return run_module(self._lab, RELAY, "import os\n" + name + PROGRAM)

    def begin(self) -> None:
        """Start the prepared relay, and prepare the next one."""
        self.running, self._next = self._next, self._prepare()
        assert self.running.stdin
        with suppress(BrokenPipeError):
            self.running.stdin.write("\n")
            self.running.stdin.flush()

    def connected(self) -> bool:
        """Return whether the running relay is connected to MongoDB, which holds the lease."""
        _, _, port = ENDPOINTS["mongodb"].rpartition(":")
        if self.running is None or self.running.poll() is not None:
            return False
        connections = psutil.Process(self.running.pid).net_connections("tcp")
        return any(c.raddr and c.raddr[1] == int(port) and c.status == "ESTABLISHED" for c in connections)

    def kill(self) -> None:
        """Send SIGKILL to the running relay."""
        if self.running:
            _end(self.running)
        self.running = None

    def close(self) -> None:
        """End all relays of the check."""
        self.kill()
        _end(self._next)


def _end(process: "Popen[str]") -> None:
    process.kill()
    try:
        process.communicate(timeout=10)
    except TimeoutExpired as error:
        raise NotGradable("a relay of the check did not end after SIGKILL") from error


@contextmanager
def own_relays(lab: Exercise) -> Iterator[OwnRelays]:
    """Stop the unit posts-relay, let the check run its own relays, then start the unit again."""
    backend.stop_unit(RELAY)
    relays = OwnRelays(lab)
    try:
        yield relays
    finally:
        relays.close()
        backend.start_unit(RELAY)


@contextmanager
def second_relay(lab: Exercise) -> Iterator[OwnRelays]:
    """Run another relay beside the unit's, under its own name."""
    relays = OwnRelays(lab, "second-relay")
    try:
        relays.begin()
        yield relays
    finally:
        relays.close()
