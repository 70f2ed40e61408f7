"""The event path handles everything on a topic: duplicates, old versions, late and poison messages."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from bson import ObjectId
from kafka import KafkaProducer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaTimeoutError
from pymongo import MongoClient
from pymongo.collection import Collection
from redis import Redis
from support import ENDPOINTS, Person, backend, client, events_of, eventually, pid_of, stopped

from civildiy.chassis.clients.kafka import producer, reader
from civildiy.contracts.posts.envelope import DEAD_LETTER_TOPIC, POSTS_TOPIC
from civildiy.contracts.posts.topic_reader import Topic
from civildiy.feed import keys
from civildiy.posts.relay.outbox import MAX_WAITING
from civildiy.posts.store import COLLECTION
from lab.probes import tools

DATABASE = "posts"
HIGH = "2B0229296E04"
"""The end of a change stream's position that is a time instead of an event."""


@pytest.fixture
def log() -> Iterator[KafkaProducer]:
    made = producer(ENDPOINTS["kafka"])
    yield made
    made.close()


def put(log: KafkaProducer, key: str, value: bytes) -> int:
    offset: int = log.send(POSTS_TOPIC, key=key.encode(), value=value).get(10).offset
    return offset


def until_applied(offset: int) -> None:
    def applied() -> bool:
        with client() as http:
            return bool(http.get("/api/activity-stream/stats").json()["next_offset"] > offset)

    eventually(applied, within=20, what=f"offset {offset} to be applied")


def entries(person: Person, post_id: str) -> list[dict[str, Any]]:
    return [item for item in person.feed() if item["post_id"] == post_id]


def test_duplicate_and_late_events_change_nothing(log: KafkaProducer) -> None:
    person = Person()
    post = person.post("first")
    person.http.put(f"/api/posts/{post['id']}", json={"title": "second"})
    eventually(lambda: [e["title"] for e in entries(person, post["id"])] == ["second"], within=10, what="v2")
    created, updated = events_of(post["id"])
    for event in (created, updated, created):
        last = put(log, post["id"], json.dumps(event).encode())
    until_applied(last)
    assert [e["title"] for e in entries(person, post["id"])] == ["second"]


@pytest.mark.parametrize("change", ["update", "delete"])
def test_entry_outlives_what_is_known_of_its_post(change: str) -> None:
    """A list that other users keep alive holds entries for longer than the hashes of their posts live."""
    person = Person()
    post, other = person.post("first"), person.post("other")
    eventually(lambda: len(person.feed()) == 2, within=10, what="both posts")
    host, _, port = ENDPOINTS["redis"].rpartition(":")
    with Redis(host=host, port=int(port)) as redis:
        assert redis.delete(keys.of_post(post["id"]))
    path = f"/api/posts/{post['id']}"
    if change == "update":
        person.http.put(path, json={"title": "second"})
        eventually(lambda: [e["title"] for e in person.feed()] == ["second", "other"], within=10, what="v2")
    else:
        person.http.delete(path)
        eventually(lambda: [e["post_id"] for e in person.feed()] == [other["id"]], within=10, what="no entry")
    with client() as http:
        everybody = http.get("/api/activity-stream", params={"limit": 100}).json()["items"]
    assert [e["title"] for e in everybody if e["post_id"] == post["id"]] == ["second"] * (change == "update")


def test_event_of_version_one_is_shown(log: KafkaProducer) -> None:
    person, post_id = Person(), secrets.token_hex(12)
    event = {
        "specversion": "1.0", "id": secrets.token_hex(8), "source": "/civildiy/posts",
        "subject": post_id, "time": "2026-01-01T00:00:00Z", "datacontenttype": "application/json",
        "postversion": 1, "traceparent": "00-" + "1" * 32 + "-" + "1" * 16 + "-01",
        "type": "post.created", "schemaversion": 1,
        "data": {"post_id": post_id, "user_id": person.id, "title": "old", "body": "words"},
    }  # fmt: skip
    until_applied(put(log, post_id, json.dumps(event).encode()))
    assert [e["content"] for e in entries(person, post_id)] == ["words"]


@pytest.mark.parametrize("value", [b"{ this is not JSON", b"\xff\xfe no UTF-8"])
def test_poison_goes_to_the_dead_letters_and_holds_up_nothing(log: KafkaProducer, value: bytes) -> None:
    mark = secrets.token_hex(8)
    put(log, mark, value)
    person = Person()
    post = person.post("after the poison")
    eventually(lambda: entries(person, post["id"]), within=10, what="the next post")
    (mine,) = [letter for letter in last_letters() if letter.key == mark.encode()]
    assert mine.value == value
    assert "not JSON" in dict(mine.headers)["reason"].decode()


def test_poison_with_a_key_as_large_as_a_record(log: KafkaProducer) -> None:
    mark = secrets.token_hex(8)
    until_applied(put(log, mark + "k" * 700_000, b"{" * 300_000))
    (mine,) = [letter for letter in last_letters() if letter.key.startswith(mark.encode())]
    assert "of a key of 700016 bytes the first 1000" in dict(mine.headers)["reason"].decode()
    assert (len(mine.key), len(mine.value)) == (1_000, 300_000)


def last_letters(many: int = 5) -> list[ConsumerRecord]:
    partition = TopicPartition(DEAD_LETTER_TOPIC, 0)
    consumer = reader(ENDPOINTS["kafka"])
    try:
        consumer.assign([partition])
        end = consumer.end_offsets([partition])[partition]
        consumer.seek(partition, max(0, end - many))
        found: list[ConsumerRecord] = []
        while consumer.position(partition) < end:
            found += consumer.poll(timeout_ms=3000).get(partition, [])
    finally:
        consumer.close()
    return found


def test_time_beyond_all_years_is_poison(log: KafkaProducer) -> None:
    person = Person()
    post = person.post("of our time")
    (event,) = eventually(lambda: events_of(post["id"]), within=10, what="the event")
    offset = put(log, post["id"], json.dumps(event | {"time": "9999-12-31T23:59:59-01:00"}).encode())
    until_applied(offset)
    (mine,) = [letter for letter in last_letters() if letter.key == post["id"].encode()]
    assert "9999" in dict(mine.headers)["reason"].decode()


def test_poison_as_large_as_a_record_can_be(log: KafkaProducer) -> None:
    mark = secrets.token_hex(8)
    until_applied(put(log, mark, b'{"schemaversion":"' + b"x" * 1_048_000 + b'"}'))
    (mine,) = [letter for letter in last_letters() if letter.key == mark.encode()]
    reason = dict(mine.headers)["reason"].decode()
    assert "of 1048020 bytes the first 1000000" in reason
    assert len(reason) < 700


NO_POSTS: tuple[dict[str, Any], ...] = (
    {"x": 1},
    {"deleted": False},
    {"_id": "not an id", "settled": False, "deleted": False, "user_id": "nobody", "version": 1},
    {"settled": False, "outbox": {}},
    {"settled": False, "outbox": [7]},
    {"settled": False, "outbox": [{"id": 1, "body": "text"}], "deleted": False},
    {"deleted": True, "settled": True, "last_event": {"id": 1}, "user_id": -1, "title": None},
)


@contextmanager
def posts_collection() -> Iterator[Collection[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](f"mongodb://{ENDPOINTS['mongodb']}", directConnection=True) as client:
        yield client[DATABASE][COLLECTION]


def test_documents_that_are_no_posts_hold_up_nothing() -> None:
    before = pid_of("posts-relay")
    person = Person()
    with posts_collection() as posts:
        added = posts.insert_many([dict(document) for document in NO_POSTS]).inserted_ids
        try:
            post = person.post("beside them")
            eventually(lambda: entries(person, post["id"]), within=10, what="the post beside them")
            assert tools.run_tool(backend, "feed-verify", []).answer
            assert person.http.get("/api/posts", params={"limit": 100}).status_code == 200
        finally:
            posts.delete_many({"_id": {"$in": added}})
    post = person.post("after them")
    eventually(lambda: entries(person, post["id"]), within=10, what="the next post")
    assert pid_of("posts-relay") == before


def test_what_vanished_while_nobody_looked_leaves_the_feed() -> None:
    """MongoDB's oplog no longer contains the relay's position, so the relay compares with the topic."""
    person = Person()
    post, other = person.post("vanishes"), person.post("stays")
    eventually(lambda: len(person.feed()) == 2, within=10, what="both posts")
    with stopped("posts-relay"), posts_collection() as posts:
        positions = posts.database["positions"]
        token = positions.find_one({"_id": "removals"})["position"]["_data"]  # type: ignore[index]
        # The same position a second after 1970: two digits for the kind, then the time.
        ancient = {"_data": token[:2] + "00000001" + token[10:18] + HIGH}
        positions.update_one({"_id": "removals"}, {"$set": {"position": ancient}})
        posts.delete_one({"_id": ObjectId(post["id"])})
    eventually(lambda: [e["post_id"] for e in person.feed()] == [other["id"]], within=20, what="one post")


def test_delete_is_allowed_however_many_changes_wait() -> None:
    person = Person()
    post = person.post("a secret")
    path = f"/api/posts/{post['id']}"
    with stopped("posts-relay"):
        answers = [person.http.put(path, json={"title": f"{n}"}).status_code for n in range(MAX_WAITING + 1)]
        assert set(answers[: MAX_WAITING - 1]) == {200}
        assert answers[-1] == 503
        assert person.http.delete(path).status_code == 200

    def last() -> list[str]:
        return [event["type"] for event in events_of(post["id"])][-1:]

    eventually(lambda: last() == ["post.deleted"], within=20, what="the last event")
    eventually(lambda: not person.feed(), within=10, what="an empty feed")


def test_records_say_that_they_are_cloud_events() -> None:
    post = Person().post("with a header")
    eventually(lambda: events_of(post["id"]), within=10, what="the event")
    with Topic(ENDPOINTS["kafka"]) as topic:
        end = topic.end()
        topic.seek(max(topic.first(), end - 500))
        (mine,) = [record for record in topic.until(end) if record.key == post["id"].encode()]
    assert mine.headers == [("content-type", b"application/cloudevents+json")]


def test_records_that_never_come_are_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("civildiy.contracts.posts.topic_reader.SILENT_SECONDS", 0.3)
    with Topic(ENDPOINTS["kafka"], DEAD_LETTER_TOPIC) as letters:
        end = letters.end()
        letters.seek(end)
        with pytest.raises(KafkaTimeoutError, match=f"no record {end}"):
            list(letters.until(end + 1))


def test_trace_goes_from_the_request_to_the_event() -> None:
    person, trace = Person(), secrets.token_hex(16)
    headers = {"traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}
    post = person.http.post("/api/posts", json={"title": "t", "content": "c"}, headers=headers).json()
    event = eventually(lambda: events_of(post["id"]), within=10, what="the event")[0]
    assert event["traceparent"].split("-")[1] == trace
    assert event["subject"] == event["data"]["post_id"] == post["id"]
