"""An event of another producer has any id; the pages of the feed still lead from one to the next."""

import json
import secrets
from typing import Any

from bson import ObjectId
from support import ENDPOINTS, Person, eventually

from civildiy.chassis.clients.kafka import producer
from civildiy.contracts.posts.envelope import POSTS_TOPIC

IDS = ('a"b', "\u00e9", "back\\slash", "\u6771" * 100, '","event_id":"x')
"""CloudEvents only asks for a string that is not empty."""


def event(kind: str, post_id: str, user: int, version: int, id: str) -> bytes:
    """Return an event as a program in another language may write it; the time has random microseconds."""
    time = f"2030-01-31T09:02:00.{secrets.randbelow(10**6):06}Z"
    data: dict[str, Any] = {"post_id": post_id, "user_id": user}
    if kind == "post.created":
        data |= {"title": "t", "content": "c", "tags": [], "created_at": time, "updated_at": time}
        data["expires_at"] = None
    return json.dumps(
        {
            "specversion": "1.0", "type": kind, "source": "/another", "subject": post_id, "id": id,
            "time": time, "schemaversion": 2,
            "datacontenttype": "application/json", "postversion": version, "traceparent": "", "data": data,
        }
    ).encode()  # fmt: skip


def test_pages_lead_on_whatever_the_id_of_an_event() -> None:
    reader = Person()
    posts = {str(ObjectId()): id for id in IDS}
    log = producer(ENDPOINTS["kafka"])
    try:
        for post, id in posts.items():
            log.send(POSTS_TOPIC, key=post.encode(), value=event("post.created", post, reader.id, 1, id))
        log.flush(10)
        eventually(lambda: len(reader.feed()) == len(posts), within=20, what="all entries")
        seen: list[str] = []
        before = None
        while before is not None or not seen:
            query = {"limit": 1} | ({"before": before} if before else {})
            answer = reader.http.get("/api/activity-stream/user", params=query)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            seen += [item["event_id"] for item in page["items"]]
            before = page["next"]
        assert sorted(seen) == sorted(IDS)
    finally:
        for post in posts:
            removed = event("post.deleted", post, reader.id, 2, secrets.token_hex(16))
            log.send(POSTS_TOPIC, key=post.encode(), value=removed)
        log.flush(10)
        log.close()
    eventually(lambda: not reader.feed(), within=20, what="the entries to be removed")
