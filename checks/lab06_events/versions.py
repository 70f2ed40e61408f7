"""An event of an older version, and its reader."""

import secrets
from random import Random
from typing import Any

import orjson
from bson import ObjectId
from grading.events import START, TRACE, publish, redis, settled, stranger
from grading.outcome import require
from grading.plugin import check

from civildiy.feed import keys


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
