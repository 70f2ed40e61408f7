"""Lab 06: what stands on the topic after each change, and after each kind of trouble."""

import secrets
import signal
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from random import Random
from typing import Any

import httpx
import orjson
import pytest
from bson import ObjectId
from grading.databases import POSTS, at_once, mongodb
from grading.events import START, TRACE, publish, redis, settled, stranger
from grading.outcome import Wrong, require
from grading.people import Person, said
from grading.plugin import check
from grading.system import ENDPOINTS, backend, eventually, heal, home, missing
from grading.topic import (
    RELAY,
    listening,
    nothing_lost_or_mixed_up,
    own_relays,
    refusing,
    second_relay,
)
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from pymongo import MongoClient

from civildiy.events.envelope import POSTS_TOPIC, SOURCE
from civildiy.feed import keys
from lab.course.exercise import Exercise
from lab.course.running import is_waiting, wait_until_loaded
from lab.errors import LabError
from lab.readiness import slow

NEW = {"title": "t", "content": "c"}
AWAY_SECONDS = 5.0


def write(person: Person, **more: Any) -> str:
    """A new post's id."""
    try:
        answer = person.http.post("/api/posts", json={**NEW, **more})
        good, seen = answer.status_code == 201, said(answer)
    except httpx.HTTPError as error:
        good, seen = False, f"{type(error).__name__}: {error}"
    means = "A post that is valid is taken, whatever happens to its event."
    require(good, "POST /api/posts", expected="201", saw=seen, means=means)
    return str(answer.json()["id"])


def change(person: Person, post: str, **fields: Any) -> httpx.Response:
    return person.http.put(f"/api/posts/{post}", json=fields or {"title": secrets.token_hex(4)})


@check(points=3)
def test_one_event_for_each_change(ada: Person) -> None:
    """Each change has one event, with an id, a key, a schema version and the post's own version"""
    with listening() as topic:
        post = write(ada, title="first", tags=["a"], expires_at="2100-01-01T00:00:00Z")
        answered = [
            ada.http.get(f"/api/posts/{post}").json(),
            change(ada, post, title="second").json(),
            change(ada, post, content="other words").json(),
        ]
        ada.http.delete(f"/api/posts/{post}")
        topic.wait_for_all({post: 4})
        events = topic.of(post)
    did = "wrote a post, changed it twice and deleted it; read the topic"
    types = [event.body["type"] for event in events]
    require(
        types == ["post.created", "post.updated", "post.updated", "post.deleted"],
        did,
        expected="created, updated, updated, deleted",
        saw=types,
        means="Readers see only what the events say.",
    )
    versions = [event.version for event in events]
    require(
        versions == [1, 2, 3, 4],
        did,
        expected="postversion 1, 2, 3, 4",
        saw=versions,
        means="By the version readers know what is late and what is missing. It has no holes.",
    )
    found = {event.id for event in events}
    require(
        len(found) == 4,
        did,
        expected="four different ids",
        saw=sorted(found),
        means="The id says which change an event tells of.",
    )
    found = {event.key for event in events}
    require(
        found == {post},
        did,
        expected="the post's id as the key of each",
        saw=sorted(found),
        means="Kafka keeps order for one key only, and the post is what needs its order.",
    )
    schemas = [event.body.get("schemaversion") for event in events]
    means = "Without it nobody can read old events next to new ones."
    require(schemas == [2] * 4, did, expected="schemaversion 2 for each", saw=schemas, means=means)
    means = "The source says whose events these are; source and id together name one event in the world."
    sources = sorted({str(event.body.get("source")) for event in events})
    require(sources == [SOURCE], did, expected=f"source {SOURCE}", saw=sources, means=means)
    states = [_state(event.body["data"]) for event in events]
    wanted = [_state(one) for one in answered]
    words = [events[3].body["data"].get(name) for name in ("title", "content", "tags")]
    require(
        states[:3] == wanted and not any(words),
        did,
        expected="in each event the whole state that was answered, in the last one no words",
        saw=[
            {name: (seen[name], right[name]) for name in right if seen[name] != right[name]}
            for seen, right in zip(states, wanted, strict=False)
        ]
        + words,
        means="An event with the whole state needs no second look; a deleted post's words are gone.",
    )
    times = [datetime.fromisoformat(event.body["time"]) for event in events]
    require(
        times[:3] == [one["updated_at"] for one in wanted],
        did,
        expected="as the event's time the one at which the post was changed (updated_at), to the millisecond",
        saw=[f"{seen} instead of {one['updated_at']}" for seen, one in zip(times, wanted, strict=False)],
        means="Readers order by the event's time: it is that of the change, not of anybody who tells of it.",
    )


def _state(post: dict[str, Any]) -> dict[str, Any]:
    """What an event says of a post, and the API as well; times to be compared."""
    moments = ("created_at", "updated_at", "expires_at")
    return {
        name: datetime.fromisoformat(post[name]) if name in moments and post.get(name) else post.get(name)
        for name in ("user_id", "title", "content", "tags", *moments)
    }


@check(points=1)
def test_nothing_stays_behind(ada: Person) -> None:
    """A post whose events are published is settled; of a deleted one nothing stays in MongoDB"""
    kept, removed = write(ada), write(ada)
    change(ada, kept)
    ada.http.delete(f"/api/posts/{removed}")
    with mongodb() as client:
        posts = client[POSTS][POSTS]

        def found(post: str) -> dict[str, Any] | None:
            return posts.find_one({"_id": ObjectId(post)}, {"settled": 1, "outbox.id": 1, "_id": 0})

        with suppress(Wrong):
            eventually(
                lambda: (
                    (found(kept) == {"settled": True, "outbox": []} and found(removed) is None)
                    or is_waiting(backend, RELAY)
                ),
                within=3,
                what="the relay to be done with both",
            )
        seen = [found(kept), found(removed)]
    require(
        seen == [{"settled": True, "outbox": []}, None],
        "wrote two posts, changed one, deleted the other, and looked into MongoDB when they were published",
        expected="{'settled': True, 'outbox': []} in the first, and nothing left of the second",
        saw=seen,
        means="What is never settled is looked through at each turn of the relay, and never expires; what"
        " stays of deleted posts stays for ever.",
    )


@check(points=1)
def test_trace_goes_on(ada: Person) -> None:
    """The trace of the request goes on in the event"""
    traces = [secrets.token_hex(16) for _ in range(3)]
    headers = [{"traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"} for trace in traces]
    with listening() as topic:
        post = str(ada.http.post("/api/posts", json=NEW, headers=headers[0]).json()["id"])
        ada.http.put(f"/api/posts/{post}", json={"title": "second"}, headers=headers[1])
        ada.http.delete(f"/api/posts/{post}", headers=headers[2])
        topic.wait_for_all({post: 3})
        seen = [str(event.body.get("traceparent")) for event in topic.of(post)]
    require(
        [one.split("-")[1:2] for one in seen] == [[trace] for trace in traces],
        "wrote a post, changed it and deleted it, in three requests that each have a trace",
        expected="the same traces in the three events",
        saw=f"{seen} instead of {traces}",
        means="One id leads from the click to the last reader, also through Kafka.",
    )


@check(points=2)
def test_refused_changes_say_nothing(ada: Person, bob: Person) -> None:
    """A change that is refused has no event"""
    with listening() as topic:
        post, nobodys = write(ada), str(ObjectId())
        removed = write(ada)
        ada.http.delete(f"/api/posts/{removed}")
        answers = [
            change(bob, post, title="not mine"),
            bob.http.delete(f"/api/posts/{post}"),
            change(ada, post, title=""),
            change(ada, nobodys, title="of nobody"),
            change(ada, removed, title="it is gone"),
            ada.http.post("/api/posts", json={**NEW, "title": ""}),
        ]
        seen = [answer.status_code for answer in answers]
        wanted = [403, 403, 422, 404, 404, 422]
        did = "tried six changes that are not allowed"
        require(seen == wanted, did, expected=wanted, saw=seen, means="Refused is refused.")
        change(ada, post, title="the last")
        topic.wait_for_all({post: 2})
        events = topic.of(post)
        strange = [event.body["subject"] for event in topic.all() if event.body.get("subject") == nobodys]
        more = [event.version for event in topic.of(removed)]
    require(
        [event.body["data"].get("title") for event in events] == ["t", "the last"]
        and not strange
        and more == [1, 2],
        f"{did}, then changed the post once",
        expected="two events of the post, two of the deleted one, none of the others",
        saw=f"{[(e.body['type'], e.body['data'].get('title')) for e in events]}, {more}, {strange}",
        means="An event tells of something that has happened. Decide first, then write both at once.",
    )


@check(points=4)
@pytest.mark.disturbs
def test_kafka_is_away(ada: Person) -> None:
    """While Kafka is away posts are taken at once, and their events arrive when it is back"""
    wanted: dict[str, int] = {}
    times: list[float] = []
    with listening() as topic:
        start, before = topic.start, write(ada)
        topic.wait({before: 1})  # so the relay is connected when its broker goes
    backend.stop_unit("kafka")
    try:
        began = time.monotonic()
        while len(wanted) < 20 or time.monotonic() - began < AWAY_SECONDS:
            asked = time.monotonic()
            wanted[write(ada)] = 1
            times.append(time.monotonic() - asked)
            # Twenty a second is enough; the relay shall have time for several tries.
            time.sleep(max(0.0, 0.05 - times[-1]))
        first = next(iter(wanted))
        change(ada, first)
        wanted[first] = 2
        with suppress(LabError):  # it may have ended by itself: then it has to be back by itself
            backend.signal(RELAY, signal.SIGKILL)
    finally:
        backend.start_unit("kafka")
        heal()
    median = statistics.median(times)
    did = "stopped Kafka, wrote posts for some seconds, killed the relay, started Kafka"
    require(
        median < 0.1 * slow(),
        did,
        expected="201 in less than 100 ms (median)",
        saw=f"{1000 * median:.0f} ms",
        means="Who publishes in the request lets everybody wait for Kafka.",
    )
    with listening(start) as topic:
        topic.wait_for_all(wanted, within=20)
        nothing_lost_or_mixed_up(topic, wanted, did)
    eventually(lambda: not missing(), within=60, what="the whole system to be back")


def still_running(began: float, did: str) -> None:
    require(
        wait_until_loaded(home, backend, RELAY) == began and not is_waiting(backend, RELAY),
        did,
        expected="the same relay, still running",
        saw="it ended",
        means="Who ends at each trouble of a server relies on somebody who starts them again.",
    )


@check(points=3)
@pytest.mark.disturbs
def test_kafka_refuses_for_a_while(ada: Person) -> None:
    """While Kafka refuses everything for a reason of its own, events wait; then all go out in order"""
    settled_before, deleted = write(ada, content="secret words"), write(ada)
    with listening() as topic, mongodb() as client:
        document = client[POSTS][POSTS]
        here = {"_id": ObjectId(settled_before)}
        eventually(lambda: document.count_documents({**here, "settled": True}), within=10, what="its event")
        began = wait_until_loaded(home, backend, RELAY)
        with _refusing_now():
            post = write(ada)
            for _ in range(9):
                change(ada, post)
            change(ada, deleted)
            for gone in (settled_before, deleted):
                ada.http.delete(f"/api/posts/{gone}")
            left = document.find_one(here) or {}
            # Long enough for several tries.
            time.sleep(3)
        did = "let Kafka refuse everything for 3 s (not for what the events say), and changed posts meanwhile"
        wanted = {post: 10}
        topic.wait_for_all(wanted, within=6)
        topic.wait({settled_before: 2, deleted: 3}, within=6)
        still_running(began, did)
        nothing_lost_or_mixed_up(topic, wanted, did)
        last = [max((e.version for e in topic.of(one)), default=0) for one in (settled_before, deleted)]
    require(
        last == [2, 3],
        f"{did}; deleted two of them",
        expected="the events of both removals, versions 2 and 3",
        saw=f"versions {last} as the last ones",
        means="A deleted post may be dropped from MongoDB only when its last event is published.",
    )
    require(
        "secret words" not in str(left),
        f"{did}; deleted a post whose events were published before, and looked into MongoDB at once",
        expected="its words gone",
        saw={name: left.get(name) for name in ("title", "content", "tags", "deleted")},
        means="Who deletes a post wants its words gone now, not when Kafka has time.",
    )


@contextmanager
def _refusing_now() -> Iterator[None]:
    """Kafka refuses each record as too old, however young it is: nothing that is the event's fault."""
    admin = KafkaAdminClient(bootstrap_servers=ENDPOINTS["kafka"], bootstrap_timeout_ms=5000)

    def alter(change: object) -> None:
        configs = {"message.timestamp.before.max.ms": change}
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, POSTS_TOPIC, configs)])

    alter("0")
    try:
        yield
    finally:
        alter(("DELETE", None))
        admin.close()


@check(points=2)
@pytest.mark.disturbs
def test_trouble_with_mongodb(ada: Person) -> None:
    """A relay whose questions MongoDB breaks off asks again, and ends not"""
    began = wait_until_loaded(home, backend, RELAY)
    ended: list[object] = []
    with listening() as topic, mongodb() as client:
        post = write(ada)
        topic.wait({post: 1})

        def breaks_off() -> bool:
            for operation in client.admin.command("currentOp", ns=f"{POSTS}.{POSTS}")["inprog"]:
                if "$changeStream" in str(operation.get("cursor")) and operation.get("active"):
                    client.admin.command("killOp", op=operation["opid"])
                    ended.append(operation["opid"])
            return bool(ended)

        eventually(lambda: breaks_off() or is_waiting(backend, RELAY), within=10, what="the relay to wait")
        for _ in range(2):
            change(ada, post)
        topic.wait_for_all({post: 3}, within=10)
        did = "wrote a post, broke off the relay's change stream in MongoDB, and changed the post twice"
        still_running(began, did)
        nothing_lost_or_mixed_up(topic, {post: 3}, did)


@check(points=3)
@pytest.mark.disturbs
def test_killed_between_publishing_and_marking(ada: Person, lab: Exercise) -> None:
    """A relay that dies after publishing and before marking loses nothing; a repeat has the same id"""
    did = "killed the relay when it had published an event and could not mark it yet"
    with listening() as topic, mongodb() as client:
        with own_relays(lab) as relays:
            post = write(ada)
            with client.start_session() as session:
                session.start_transaction()
                try:
                    # Whoever holds the document in a transaction lets others read it, not write it.
                    held = {"$set": {"held": True}}
                    client[POSTS][POSTS].update_one({"_id": ObjectId(post)}, held, session=session)
                    relays.begin()
                    eventually(lambda: topic.of(post), within=15, what="the relay to publish an event")
                    relays.kill()
                    _forget_waiting_writes(client)
                finally:
                    session.abort_transaction()
        change(ada, post)
        topic.wait_for_all({post: 2}, within=20)
        nothing_lost_or_mixed_up(topic, {post: 2}, did)


def _forget_waiting_writes(client: MongoClient[dict[str, Any]]) -> None:
    """What the dead relay still asks of the document is not done."""
    for operation in client.admin.command("currentOp", ns=f"{POSTS}.{POSTS}")["inprog"]:
        if operation.get("op") in ("update", "command", "remove") and operation.get("active"):
            with suppress(Exception):  # it may be over by now
                client.admin.command("killOp", op=operation["opid"])


@check(points=4)
@pytest.mark.disturbs
def test_killed_ten_times(ada: Person, bob: Person, lab: Exercise, rng: Random) -> None:
    """The relay is killed ten times at random: nothing lost, nothing out of order, one id for each"""
    wanted: dict[str, int] = {}
    with listening() as topic:
        with own_relays(lab) as relays:
            for post in at_once(8, lambda n: write((ada, bob)[n % 2])):
                wanted[post] = 1
            mine = list(wanted)
            for _ in range(10):

                def three_changes(number: int) -> None:
                    for _ in range(3):
                        change((ada, bob)[number % 2], mine[number])

                at_once(8, three_changes)
                wanted = {post: version + 3 for post, version in wanted.items()}
                end = topic.end()
                relays.begin()
                eventually(lambda e=end: topic.end() > e, within=15, what="the relay to publish something")  # type: ignore[misc]
                time.sleep(rng.random() * 0.02)  # anywhere in its work
                relays.kill()
        topic.wait_for_all(wanted, within=30)
        nothing_lost_or_mixed_up(
            topic, wanted, "changed 8 posts 30 times each, and killed the relay ten times"
        )


@check(points=2)
@pytest.mark.disturbs
def test_one_relay_at_a_time(ada: Person, lab: Exercise) -> None:
    """Of two relays one works"""
    did = "started a second relay beside the first, and wrote 8 posts with 5 changes each"
    with listening() as topic, second_relay(lab) as second:
        eventually(lambda: second.connected() or is_waiting(backend, RELAY), within=15, what="a second relay")

        def six(number: int) -> str:
            post = write(ada)
            for _ in range(5):
                change(ada, post)
            return post

        wanted = dict.fromkeys(at_once(8, six), 6)
        topic.wait_for_all(wanted, within=15)
        doubled = sum(max(0, len(topic.of(post)) - 6) for post in wanted)
        require(
            doubled == 0,
            did,
            expected="48 events, each once",
            saw=f"{doubled} more",
            means="Two that take from one outbox send twice, and overtake each other.",
        )
        nothing_lost_or_mixed_up(topic, wanted, did)


@check(points=2)
@pytest.mark.disturbs
def test_poison_holds_up_nobody(ada: Person) -> None:
    """An event that Kafka will never take is set aside with its reason; all others go on"""
    did = "let Kafka refuse everything over 40,000 bytes, wrote a post of 80,000 and then two small ones"
    with listening() as topic:
        with refusing(40_000):
            # In a batch of its own: it is larger than a whole batch of the producer.
            big = write(ada, content="\U0001f4a3" * 20_000)
            small = [write(ada), write(ada)]
            change(ada, big, content="few words")
            topic.wait(dict.fromkeys(small, 1) | {big: 2}, within=15)
        seen = {post: [event.version for event in topic.of(post)] for post in (big, *small)}
    require(
        seen == {big: [2], small[0]: [1], small[1]: [1]},
        did,
        expected="the small posts' events, and the next one of the large post",
        saw=seen,
        means="What can never be sent must not wait in front of what can.",
    )
    with mongodb() as client:
        document = client[POSTS][POSTS].find_one({"_id": ObjectId(big)}) or {}
    parked = [
        {name: bytes(value)[:40] if name == "body" else str(value) for name, value in entry.items()}
        for entry in document.get("parked", [])
    ]
    require(
        len(parked) == 1 and all(parked[0].get(name) for name in ("id", "body", "reason")),
        did,
        expected="the event in the post's list 'parked', with id, body and reason",
        saw=f"parked: {parked}",
        means="Set aside is not thrown away: somebody has to find out why, and send it again.",
    )


@check(points=2)
def test_old_version_is_understood(rng: Random) -> None:
    """An event of version 1 is brought up to date by its reader"""
    user, post = stranger(rng), str(ObjectId())
    event: dict[str, Any] = {
        "specversion": "1.0", "id": secrets.token_hex(8), "source": "/civildiy/posts", "subject": post,
        "time": START.isoformat(), "datacontenttype": "application/json", "postversion": 1,
        "traceparent": TRACE, "type": "post.created", "schemaversion": 1,
        "data": {"post_id": post, "user_id": user, "title": "old title", "body": "old words"},
    }  # fmt: skip
    settled(publish([(post, orjson.dumps(event))]))
    with redis() as client:
        seen = [orjson.loads(item) for item in client.lrange(keys.of_user(user), 0, -1)]
    found = [
        (item.get("title"), item.get("content"), item.get("tags"), str(item.get("created_at"))[:10])
        for item in seen
    ]
    did = "put an event of schema version 1 on the topic (it calls the text 'body')"
    require(
        found == [("old title", "old words", [], START.date().isoformat())],
        did,
        expected="an entry with the old words, no tags, and the event's time as the post's",
        saw=found or "no entry",
        means="Kafka keeps events for days, and nobody rewrites a log. The reader brings them up to date.",
    )
    gone = event | {"id": secrets.token_hex(8), "type": "post.deleted", "postversion": 2,
                    "data": {"post_id": post, "user_id": user}}  # fmt: skip
    settled(publish([(post, orjson.dumps(gone))]))
    with redis() as client:
        left = client.llen(keys.of_user(user))
    means = "A removal of the old version is a removal."
    require(left == 0, f"{did}, then its removal", expected="no entry", saw=f"{left} left", means=means)
