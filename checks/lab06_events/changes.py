"""Each change has one event, and a refused one has none."""

import secrets
from contextlib import suppress
from datetime import datetime
from typing import Any

from bson import ObjectId
from grading.databases import POSTS, mongodb
from grading.outcome import Wrong, require
from grading.people import Person
from grading.plugin import check
from grading.system import backend, eventually
from grading.topic import RELAY, listening

from civildiy.contracts.posts.envelope import SOURCE
from lab.course.running import is_waiting
from lab06_events.posts import NEW, change, write


@check(points=3)
def test_one_event_for_each_change(ada: Person) -> None:
    """Each change has one event, with an id, a schema version and the post's own version"""
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
        means="Readers learn of a change only by its event. Each change needs exactly one. Look at"
        " `put_event` in outbox.py.",
    )
    versions = [event.version for event in events]
    require(
        versions == [1, 2, 3, 4],
        did,
        expected="postversion 1, 2, 3, 4",
        saw=versions,
        means="Readers see by the version which event is late and which one is missing, so it rises by one"
        " each time. It is the post's `version`. Look at `put_event` in outbox.py.",
    )
    found = {event.id for event in events}
    require(
        len(found) == 4,
        did,
        expected="four different ids",
        saw=sorted(found),
        means="The id identifies one change, and two events with one id look like copies. Make it with"
        " `str(uuid4())` in each call of `put_event` (outbox.py).",
    )
    schemas = [event.body.get("schemaversion") for event in events]
    means = (
        "Without `schemaversion` no reader can tell old events from new ones. Look at `put_event` in"
        " outbox.py."
    )
    require(schemas == [2] * 4, did, expected="schemaversion 2 for each", saw=schemas, means=means)
    means = (
        "`source` and `id` together identify one event in the world. `_attributes` sets it: use it in"
        " `put_event` (outbox.py)."
    )
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
        means="The event of a change holds the whole state of the post, so readers need no second request."
        " The event of a deletion holds no text. Look at `put_event` in outbox.py.",
    )
    times = [datetime.fromisoformat(event.body["time"]) for event in events]
    require(
        times[:3] == [one["updated_at"] for one in wanted],
        did,
        expected="as the event's time the one at which the post was changed (updated_at), to the millisecond",
        saw=[f"{seen} instead of {one['updated_at']}" for seen, one in zip(times, wanted, strict=False)],
        means="Readers order by the event's time. It is the time of the change, the argument `time`, and"
        " not the time at which the event is made. Look at `put_event` in outbox.py.",
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
        means="A post that is never settled is read by the relay in each turn, and MongoDB never deletes it"
        " at its expiry. A deleted post that stays in MongoDB stays for ever. Look at `mark_sent` in"
        " outbox.py.",
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
        means="One trace id leads from the request to the last reader, also through Kafka. Pass the"
        " argument `traceparent` on to the event. Look at `update` and `delete` in commands.py, and at"
        " `put_event` in outbox.py.",
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
            ada.http.delete(f"/api/posts/{nobodys}"),
            ada.http.delete(f"/api/posts/{removed}"),
        ]
        seen = [answer.status_code for answer in answers]
        wanted = [403, 403, 422, 404, 404, 422, 404, 404]
        did = "tried eight changes that are not allowed"
        require(
            seen == wanted,
            did,
            expected=wanted,
            saw=seen,
            means="A change that is not allowed got"
            " another answer. `_refuse_others` comes first in `decide`; `change` raises NotFound,"
            " also for a second DELETE: let it pass. Look at"
            " `update` and `delete` in commands.py.",
        )
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
        means="An event states a change that has happened. A refused change must not leave one: refuse"
        " first, in `decide`, and make the event after that. Look at `update` and `delete` in commands.py.",
    )
