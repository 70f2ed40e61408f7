"""An event of an older version, and its reader."""

import secrets
from random import Random
from typing import Any

import orjson
from bson import ObjectId
from grading.events import START, TRACE, publish, redis, settled, stranger
from grading.learner_process import beside
from grading.outcome import require
from grading.plugin import check

from civildiy.feed import keys
from lab.course.exercise import Exercise

PROGRAM = """
import sys
from civildiy.contracts.posts.envelope import decode
for raw in sys.argv[1:]:
    try:
        say(decode(raw.encode()).model_dump_json())
    except Exception as error:
        say('{"error": "%s"}' % type(error).__name__)
"""


@check(points=2)
def test_old_version_is_understood(lab: Exercise, rng: Random) -> None:
    """An event of version 1 is converted by its reader"""
    user, post = stranger(rng), str(ObjectId())
    event: dict[str, Any] = {
        "specversion": "1.0", "id": secrets.token_hex(8), "source": "/civildiy/posts", "subject": post,
        "time": START.isoformat(), "datacontenttype": "application/json", "postversion": 1,
        "traceparent": TRACE, "type": "post.created", "schemaversion": 1,
        "data": {"post_id": post, "user_id": user, "title": "old title", "body": "old words"},
    }  # fmt: skip
    gone = event | {"id": secrets.token_hex(8), "type": "post.deleted", "postversion": 2,
                    "data": {"post_id": post, "user_id": user}}  # fmt: skip
    _decoded(lab, event, gone)
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
        means="Kafka keeps events for days, and no service rewrites a log. The reader converts old events:"
        " `_from_v1` in envelope.py.",
    )
    settled(publish([(post, orjson.dumps(gone))]))
    with redis() as client:
        left = client.llen(keys.of_user(user))
    means = "A removal of the old version has no text to convert. Look at `_from_v1` in envelope.py."
    require(left == 0, f"{did}, then its removal", expected="no entry", saw=f"{left} left", means=means)


def _decoded(lab: Exercise, *events: dict[str, Any]) -> None:
    """Require the whole event that decode() makes of each; the feed shows a part of it only."""
    later = events[0] | {"type": "post.updated", "postversion": 7}
    words = [orjson.dumps(event).decode() for event in (*events, later)]
    with beside(lab, "feed-projector", PROGRAM, *words) as module:
        put, gone, update = (
            orjson.loads(module.hear("decode() to return an event", within=20)) for _ in words
        )
    at = START.isoformat().replace("+00:00", "Z")
    wanted: dict[str, Any] = {
        "content": "old words",
        "tags": [],
        "created_at": at,
        "updated_at": at,
        "expires_at": None,
    }
    for kind, event in (("post.created", put), ("post.updated", update)):
        data = event.get("data", {})
        seen = {name: data.get(name, "missing") for name in wanted}
        require(
            seen == wanted and event.get("schemaversion") == 2 and event.get("type") == kind,
            f"decoded an event {kind} of schema version 1 (it calls the text 'body')",
            expected=f"{kind}, schemaversion 2, and in its data {wanted}",
            saw=event.get("error")
            or f"{event.get('type')}, schemaversion {event.get('schemaversion')}, {seen}",
            means="Each event that has a text (PutV1) calls it `body`; in version 2 it is `content`. The time"
            " of the event is the best one that is known for both times of the post, and a post without an"
            " expiry never expires. Look at `_from_v1` in envelope.py.",
        )
    require(
        gone.get("type") == "post.deleted" and gone.get("schemaversion") == 2,
        "decoded a removal of schema version 1, which has no text",
        expected="a removal of schema version 2",
        saw=gone.get("error") or gone,
        means="Only a PutV1 has a text to convert: test for it with `isinstance(event, PutV1)`. Look at"
        " `_from_v1` in envelope.py.",
    )
