"""The event path meets what a topic can hold: duplicates, old versions, late and poisonous events."""

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from pymongo import MongoClient
from redis import Redis
from support import ENDPOINTS, Person, client, events_of, eventually, pid_of

from civildiy.events.clients import producer, reader
from civildiy.events.envelope import DEAD_LETTER_TOPIC, POSTS_TOPIC
from civildiy.feed import keys
from civildiy.posts.store import COLLECTION

DATABASE = "posts"


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
    """A list that others keep alive holds entries for longer than their posts' hashes live."""
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


def test_poison_goes_to_the_dead_letters_and_holds_up_nothing(log: KafkaProducer) -> None:
    mark = secrets.token_hex(8)
    put(log, mark, b"{ this is not JSON")
    person = Person()
    post = person.post("after the poison")
    eventually(lambda: entries(person, post["id"]), within=10, what="the next post")
    (mine,) = [letter for letter in last_letters() if letter.key == mark.encode()]
    assert mine.value == b"{ this is not JSON"
    assert "not JSON" in dict(mine.headers)["reason"].decode()


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


def test_documents_that_are_no_posts_hold_up_nothing() -> None:
    with MongoClient[dict[str, Any]](f"mongodb://{ENDPOINTS['mongodb']}", directConnection=True) as client:
        posts = client[DATABASE][COLLECTION]
        added = posts.insert_one({"x": 1})
        posts.delete_one({"_id": added.inserted_id})
    before = pid_of("posts-relay")
    person = Person()
    post = person.post("after it")
    eventually(lambda: entries(person, post["id"]), within=10, what="the next post")
    assert pid_of("posts-relay") == before


def test_trace_goes_from_the_request_to_the_event() -> None:
    person, trace = Person(), secrets.token_hex(16)
    headers = {"traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}
    post = person.http.post("/api/posts", json={"title": "t", "content": "c"}, headers=headers).json()
    event = eventually(lambda: events_of(post["id"]), within=10, what="the event")[0]
    assert event["traceparent"].split("-")[1] == trace
    assert event["subject"] == event["data"]["post_id"] == post["id"]
