"""The event itself, as `put_event` returns it."""

import json
from typing import Any

from grading.learner_process import beside
from grading.outcome import require
from grading.plugin import check

from lab.course.exercise import Exercise

PROGRAM = """
import json
from datetime import UTC, datetime, timedelta
from bson import ObjectId
from civildiy.posts.relay.outbox import put_event

AT = datetime(2026, 1, 31, 9, 0, 0, 123000, tzinfo=UTC)

def event(kind="post.updated", **more):
    post = {
        "_id": ObjectId("a" * 24), "user_id": 7, "title": "title", "content": "content", "tags": ["b", "a"],
        "created_at": AT, "updated_at": AT + timedelta(days=1), "expires_at": AT + timedelta(days=9),
        "version": 12, **more,
    }
    made = put_event(kind, post, AT + timedelta(days=1), "00-trace")
    return json.loads(made.model_dump_json())

AS_IT_IS = {
    "title": " Two  spaces ", "content": "first line\\n\\n  second <b>line</b>\\n" + 5000 * "x",
    "tags": ["SQL", "Go", "go", " go", "Go"],
}
as_it_is = event(**AS_IT_IS)["data"]
say(json.dumps([event(), event(), event("post.created", version=1, expires_at=None, tags=[])]))
shown = {n: f"{as_it_is[n]!r:.60} (length {len(as_it_is[n])})" for n in AS_IT_IS}
say(json.dumps({n: [shown[n], as_it_is[n] == text] for n, text in AS_IT_IS.items()}))
"""
WHERE = "Look at `put_event` in outbox.py."
ENVELOPE = (
    ("type", "post.updated", "The type is the argument `kind`."),
    ("schemaversion", 2, "Without SCHEMA_VERSION no reader can tell old events from new ones."),
    ("postversion", 12, "Readers see by the post's version which event is late and which one is missing."),
    ("subject", "a" * 24, "The subject is the post's id as text."),
    (
        "time", "2026-02-01T09:00:00.123000Z",
        "The event's time is the time of the change, the argument `time`. The time at which your code runs"
        " differs, and readers order by it.",
    ),
    (
        "traceparent", "00-trace",
        "The trace of the request goes on in the event, up to its last reader: pass the argument"
        " `traceparent`.",
    ),
)  # fmt: skip
DATA = {
    "post_id": "a" * 24, "user_id": 7, "title": "title", "content": "content", "tags": ["b", "a"],
    "created_at": "2026-01-31T09:00:00.123000Z", "updated_at": "2026-02-01T09:00:00.123000Z",
    "expires_at": "2026-02-09T09:00:00.123000Z",
}  # fmt: skip


@check(points=2)
def test_event_step_by_step(lab: Exercise) -> None:
    """An event has an id of its own, the time and trace of its change, and the whole state of the post"""
    with beside(lab, "posts", PROGRAM, only=("civildiy.posts.relay.outbox",)) as module:
        found: list[dict[str, Any]] = json.loads(module.hear("put_event() to return three events", within=20))
        texts: dict[str, tuple[str, bool]] = json.loads(module.hear("put_event() to return a fourth one"))
    first, second, new = found
    for name, wanted, means in ENVELOPE:
        require(
            first.get(name) == wanted,
            f"called put_event() for version 12 of a post, and read `{name}`",
            expected=wanted,
            saw=first.get(name),
            means=f"{means} {WHERE}",
        )
    require(
        first["id"] != second["id"] and "a" * 24 not in (first["id"], second["id"]),
        "called put_event() twice",
        expected="two events with different ids",
        saw=[first["id"], second["id"]],
        means="The id names one change, so that a reader recognises a second copy of it. Two changes with one"
        f" id look like copies. Make it with str(uuid4()) in each call. {WHERE}",
    )
    seen = {name: first["data"].get(name) for name in DATA}
    require(
        seen == DATA,
        "called put_event() for version 12 of a post, and read `data`",
        expected=DATA,
        saw={name: value for name, value in seen.items() if value != DATA[name]},
        means="The data is the whole state of the post, each field under its own name, so that a reader never"
        f" has to ask for more. {WHERE}",
    )
    data = new["data"]
    shown = (new.get("type"), new.get("postversion"), data.get("expires_at"), data.get("tags"))
    require(
        shown == ("post.created", 1, None, []),
        "called put_event() for a new post without tags and without an expiry",
        expected="post.created, version 1, expires_at null, no tags",
        saw=shown,
        means=f"A new post has version 1, and a post without an expiry has None. {WHERE}",
    )
    changed = {name: shown for name, (shown, same) in texts.items() if not same}
    require(
        not changed,
        "called put_event() for a post whose title has spaces at both ends, whose content has 5,000"
        " characters and line breaks, and whose tags have capital letters and repetitions",
        expected="title, content and tags in `data` exactly as in the post",
        saw=changed,
        means="A reader shows what the event holds, and the API shows what the post holds: the same post"
        f" would look different in two places. An event copies the state and tidies nothing. {WHERE}",
    )
