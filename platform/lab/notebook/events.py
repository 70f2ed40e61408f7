"""Follow an event: from the outbox through the topic to the projector."""

import json
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
from kafka import TopicPartition
from kafka.errors import KafkaError
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from civildiy.chassis.clients.kafka import producer, reader
from civildiy.contracts.posts.envelope import DEAD_LETTER_TOPIC, POSTS_TOPIC
from civildiy.feed import keys
from lab.notebook import feed
from lab.notebook.journey import Journey
from lab.notebook.metrics import own_time
from lab.notebook.people import Person
from lab.notebook.picture import Table
from lab.notebook.stack import address, eventually, milliseconds, mongodb
from lab.probes import local_http

LOOK_BACK = 500
"""How many of the last records are searched for the events of one post."""
PATIENCE_MS = 10_000
AUTH_ASKED = ("auth", "GET", "/api/auth/validate")
POST_WRITTEN = ("posts", "POST", "/api/posts")
STREAM_READ = ("feed", "GET", "/api/activity-stream/user")
"""The hops of a journey whose time the services measure themselves."""


@dataclass(frozen=True)
class Record:
    """One record on the topic; `time` is when it was produced, in Unix seconds."""

    offset: int
    key: str
    value: bytes
    time: float
    headers: dict[str, str]

    @property
    def event(self) -> dict[str, Any]:
        """The event as JSON; {} for a poison message."""
        try:
            found = json.loads(self.value)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


def posts() -> Collection[dict[str, Any]]:
    """Return the collection in MongoDB that holds the posts and their pending events."""
    return mongodb()["posts"]["posts"]


def records(last: int = LOOK_BACK, topic: str = POSTS_TOPIC) -> list[Record]:
    """Return the last records of a topic, oldest first."""
    partition = TopicPartition(topic, 0)
    consumer = reader(address("kafka"))
    found: list[Record] = []
    try:
        consumer.assign([partition])
        end = consumer.end_offsets([partition])[partition]
        first = consumer.beginning_offsets([partition])[partition]
        consumer.seek(partition, max(first, end - last))
        while consumer.position(partition) < end:
            for r in consumer.poll(timeout_ms=1000).get(partition, []):
                headers = {name: value.decode(errors="replace") for name, value in r.headers}
                found.append(
                    Record(
                        r.offset,
                        (r.key or b"").decode(errors="replace"),
                        r.value,
                        r.timestamp / 1000,
                        headers,
                    )
                )
    finally:
        consumer.close()
    return found


def of(post_id: str) -> list[Record]:
    """Return the records of one post."""
    return [record for record in records() if record.key == post_id]


def follow(post_id: str) -> Table:
    """Return each event of a post on the topic: type, version, id, schema and trace."""
    rows = [
        (r.offset, r.event.get("type"), r.event.get("postversion"), r.event.get("id", "")[:8] + "…",
         r.event.get("schemaversion"), r.event.get("traceparent", "")[3:11] + "…")
        for r in of(post_id)
    ]  # fmt: skip
    heads = ("offset", "type", "version of the post", "event id", "schema", "trace")
    return Table(f"Events of post {post_id[:6]}… on {POSTS_TOPIC}", heads, rows)


def waiting() -> int | None:
    """Return how many posts have pending events; None while MongoDB is down."""
    try:
        return posts().count_documents({"settled": False})
    except PyMongoError:
        return None


def lag() -> int | None:
    """Return how many events on the topic are not in the view yet; None while Kafka does not answer."""
    try:
        url = f"{address('feed')}/api/activity-stream/stats"
        return local_http.get(url, timeout=5).json()["lag_events"]  # type: ignore[no-any-return]
    except (httpx.HTTPError, ValueError, KeyError):
        return None


def lag_beside() -> int | None:
    """Return the lag of the view that a rebuild fills; None while no rebuild runs."""
    noted = feed.next_offset(keys.REBUILD_DATABASE)
    try:
        url = f"{address('feed')}/api/activity-stream/stats"
        stats = local_http.get(url, timeout=5).json()
        end = stats["next_offset"] + stats["lag_events"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None
    return None if noted is None else max(0, end - noted)


VIEWS = {"live view": lag, "new view": lag_beside}
"""What to watch during a rebuild: how many events each view is behind."""


def settled(within: float = 40) -> None:
    """Wait until no event is pending and the feed has caught up. Raises LabError after `within` seconds."""

    def at_rest() -> bool:
        return waiting() == 0 and lag() == 0

    eventually(at_rest, within=within, what="all events to be in the feed")
    # The feed service gives the same answer about the lag for 0.2 s, so the first one may be too old.
    time.sleep(0.25)
    eventually(at_rest, within=within, what="all events to be in the feed")


def send(values: list[tuple[str, bytes]]) -> None:
    """Publish records (key, value) directly, and wait until the projector has processed them."""
    client = producer(address("kafka"))
    try:
        futures = [client.send(POSTS_TOPIC, key=key.encode(), value=value) for key, value in values]
        last = max(int(future.get(20).offset) for future in futures)
    finally:
        client.close(timeout=5)
    eventually(lambda: (feed.next_offset() or 0) > last, what=f"the projector to go beyond offset {last}")


def send_again(post_id: str, times: int = 1) -> int:
    """Publish all events of a post again, newest first, `times` times; return how many were sent."""
    old = [(post_id, record.value) for record in reversed(of(post_id))] * times
    send(old)
    return len(old)


def dead_letters(last: int = 5) -> Table:
    """Return the newest dead letters with their reasons."""
    rows = [(r.offset, r.headers.get("reason", ""), r.value[:40].decode(errors="replace"))
            for r in records(last, DEAD_LETTER_TOPIC)]  # fmt: skip
    return Table(f"Newest records of {DEAD_LETTER_TOPIC}", ("offset", "reason", "begins with"), rows)


def journey(person: Person, title: str) -> Journey:
    """Write a post and measure each hop, in milliseconds since the request was sent."""
    feed.warm()
    consumer = reader(address("kafka"))
    partition = TopicPartition(POSTS_TOPIC, 0)
    try:
        consumer.assign([partition])
        consumer.seek(partition, consumer.end_offsets([partition])[partition])
        with own_time(auth=AUTH_ASKED, posts=POST_WRITTEN) as wrote:
            clock, began = time.time(), time.perf_counter()
            post = person.write(title)
            answered = milliseconds(began)
            while not feed.holds(post["id"]):
                if milliseconds(began) > PATIENCE_MS:
                    break
            in_view = milliseconds(began)
            event, produced = _find(consumer, partition, post["id"])
    finally:
        consumer.close()
    with own_time(feed=STREAM_READ) as served:
        asked = time.perf_counter()
        person.reads(limit=1)
        read = milliseconds(asked)
    written = max(0.0, (datetime.fromisoformat(event["time"]).timestamp() - clock) * 1000)
    on_topic = max(written, (produced - clock) * 1000)
    return Journey(
        post["id"], written, answered, on_topic, in_view, read, wrote["auth"], wrote["posts"], served["feed"]
    )


def _find(consumer: Any, partition: TopicPartition, post_id: str) -> tuple[dict[str, Any], float]:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for record in consumer.poll(timeout_ms=500).get(partition, []):
            if record.key == post_id.encode():
                return json.loads(record.value), record.timestamp / 1000
    raise KafkaError("the event did not come")
