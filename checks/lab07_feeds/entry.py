"""The entry itself, as `feed_entry` returns it."""

import json
from typing import Any

from grading.learner_process import beside
from grading.outcome import require
from grading.plugin import check

from lab.course.exercise import Exercise

PROGRAM = """
import json
from datetime import UTC, datetime, timedelta, timezone
from bson import ObjectId
from civildiy.feed.projector.projection import feed_entry
from civildiy.posts.relay.outbox import put_event

AT = datetime(2026, 1, 31, 9, 2, tzinfo=UTC)

def made(title="title", content="content", tags=("b", "a"), time=AT + timedelta(days=1), version=12):
    post = {
        "_id": ObjectId("a" * 24), "user_id": 7, "title": title, "content": content, "tags": [*tags],
        "created_at": AT, "updated_at": AT + timedelta(hours=1), "expires_at": None, "version": version,
    }
    event = put_event("post.updated", post, time, "trace")
    raw = feed_entry(event)
    return {"bytes": isinstance(raw, bytes), "raw": bytes(raw).decode(), "id": event.id}

EAST = timezone(timedelta(hours=2))
say(json.dumps({
    "plain": made(), "long": made(content="x" * 5000), "quotes": made(title='a "b" \\\\ \\u00e9 \\U0001f469'),
    "no tags": made(tags=()), "spaces": made(title=" Two  spaces "),
    "many tags": made(tags=("SQL", "Go", "go", "Go")),
    "ahead": made(time=datetime(2100, 1, 1, tzinfo=UTC)),
    "long ago": made(time=datetime(1999, 1, 1, tzinfo=UTC)),
    "zone": made(time=datetime(2026, 1, 31, 11, 2, 0, 5000, tzinfo=EAST)),
}))
"""
FIELDS = (
    "timestamp", "event_id", "event_type", "post_id", "user_id", "title", "content", "tags", "created_at",
    "version",
)  # fmt: skip
WHERE = "Look at `feed_entry` in projection.py."
BEGIN = '{"timestamp":"2026-02-01T09:02:00.000000Z","event_id":"'


@check(points=2)
def test_entry_step_by_step(lab: Exercise) -> None:
    """An entry is compact JSON whose ten fields have one order, with the event's time first"""
    with beside(lab, "feed-projector", PROGRAM, only=("civildiy.feed.projector.projection",)) as module:
        found: dict[str, Any] = json.loads(module.hear("feed_entry() to return nine entries", within=20))
    plain = found["plain"]
    entry: dict[str, Any] = json.loads(plain["raw"])
    did = "called feed_entry() for version 12 of a post, created on 31 January, with an event of 1 February"
    wanted = {
        "timestamp": "2026-02-01T09:02:00.000000Z", "event_id": plain["id"], "event_type": "post.updated",
        "post_id": "a" * 24, "user_id": 7, "title": "title", "content": "content", "tags": ["b", "a"],
        "created_at": "2026-01-31T09:02:00.000000Z", "version": 12,
    }  # fmt: skip
    times = {name: str(entry.get(name)) for name in ("timestamp", "created_at")}
    require(
        not all(time[:10] == str(wanted[name])[:10] for name, time in times.items())
        or all(time == wanted[name] for name, time in times.items()),
        did,
        expected={name: wanted[name] for name in times},
        saw=times,
        means="The day is right, but the text is not: both times must have 27 characters, in UTC and with"
        " microseconds, so that sorting the texts sorts the times. `orjson` writes a `datetime` in another"
        f" form. Call `timestamp(…)` for `event.time` and for `event.data.created_at`. {WHERE}",
    )
    require(
        entry == wanted,
        did,
        expected={name: value for name, value in wanted.items() if name != "event_id"},
        saw={name: entry.get(name, "missing") for name in wanted if entry.get(name) != wanted[name]} or entry,
        means="Each field comes from the event: `timestamp` is `event.time`, neither a time in the post's"
        " data nor that at which your code runs; `created_at` is that of the post, and `version` is"
        f" `postversion`. {WHERE}",
    )
    require(
        tuple(entry) == FIELDS and plain["raw"].startswith(BEGIN) and plain["bytes"],
        did,
        expected=f"bytes that begin with {BEGIN}…, and the fields in the order {', '.join(FIELDS)}",
        saw=plain["raw"][:80],
        means="LIST_EDITS orders the lists by the first bytes of each entry, so they must be exactly these:"
        f" the two fields first, without spaces. `orjson.dumps` writes them so. {WHERE}",
    )
    for case, name, value in (
        ("long", "content", "x" * 5000),
        ("quotes", "title", 'a "b" \\ \u00e9 \U0001f469'),
        ("no tags", "tags", []),
        ("spaces", "title", " Two  spaces "),
        ("many tags", "tags", ["SQL", "Go", "go", "Go"]),
        ("zone", "timestamp", "2026-01-31T09:02:00.005000Z"),
    ):
        seen = json.loads(found[case]["raw"])[name]
        require(
            seen == value,
            f"called feed_entry() for a post with another {name}, and read this field",
            expected=str(value)[:60],
            saw=f"{str(seen)[:60]} ({len(str(seen))} characters)",
            means="An entry is a complete copy of the post's state, and `timestamp(time)` writes each time in"
            f" UTC with microseconds. {WHERE}",
        )
    for case, year in (("ahead", 2100), ("long ago", 1999)):
        entry = json.loads(found[case]["raw"])
        seen_times = [entry["timestamp"], entry["created_at"]]
        require(
            seen_times == [f"{year}-01-01T00:00:00.000000Z", wanted["created_at"]],
            f"called feed_entry() for an event of 1 January {year}, as a machine with a wrong clock makes it",
            expected=f"timestamp {year}-01-01T00:00:00.000000Z, created_at {wanted['created_at']}",
            saw=f"timestamp {seen_times[0]}, created_at {seen_times[1]}",
            means="Both times come from the event, whatever the clock of the projector says. Otherwise a"
            " rebuild gives the same event another entry, and `./lab verify` calls it stale."
            f" {WHERE}",
        )
