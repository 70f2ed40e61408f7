"""./lab verify on the topic: it reports each wrong item, and a rebuild makes the view independent of them."""

import secrets
from datetime import UTC, datetime

from bson import ObjectId
from pymongo import MongoClient
from support import ENDPOINTS, Person, backend

from civildiy.contracts.posts.envelope import encode
from civildiy.posts.document import PostContent
from civildiy.posts.relay.outbox import put_event
from civildiy.posts.store import COLLECTION
from lab.faults.topic import publish
from lab.probes.tools import run_tool

TRACE = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"


def verify(code: int) -> set[tuple[str, str, str]]:
    """Kind, place and post of each finding."""
    ran = run_tool(backend, "feed-verify")
    assert ran.code == code, (ran.answer, ran.messages)
    assert ran.answer["consistent"] is (code == 0)
    return {(one["kind"], one["place"], one["post_id"]) for one in ran.answer["findings"]}


def rebuild() -> None:
    assert run_tool(backend, "feed-rebuild").answer["switched"]


def test_what_is_wrong_on_the_topic() -> None:
    person = Person()
    skipped = person.post("its second version is never published")["id"]
    rebuild()  # records of earlier tests must not be judged

    def event(post: str, version: int) -> tuple[bytes, bytes]:
        now = datetime.now(UTC)
        document: PostContent = {
            "_id": ObjectId(post), "user_id": person.id, "title": "t", "content": "c", "tags": [],
            "created_at": now, "updated_at": now, "expires_at": None, "version": version,
        }  # fmt: skip
        return post.encode(), encode(put_event("post.updated", document, now, TRACE))

    host, _, port = ENDPOINTS["mongodb"].rpartition(":")
    with MongoClient[dict[str, object]](host, int(port), directConnection=True) as client:
        now = datetime.now(UTC)
        changed = client["posts"][COLLECTION].update_one(
            {"_id": ObjectId(skipped)},
            {"$set": {"version": 2, "title": "past the outbox", "updated_at": now, "last_event.id": "none",
                      "last_event.time": now}},
        )  # fmt: skip
    assert changed.modified_count == 1
    hole, mixed, twice = (secrets.token_hex(12) for _ in range(3))
    publish(
        ENDPOINTS["kafka"],
        [event(hole, 1), event(hole, 3), event(mixed, 2), event(mixed, 1), event(twice, 1), event(twice, 1)],
    )
    found = {(kind, post) for kind, place, post in verify(1) if place == "the topic"}
    assert found == {
        ("missing", skipped),
        ("missing", hole), ("surplus", hole),
        ("misplaced", mixed), ("surplus", mixed),
        ("surplus", twice),
    }  # fmt: skip
    rebuild()
    assert verify(0) == set()
