"""Posts that are deleted, and posts that have expired."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId
from grading.databases import POSTS, mongodb
from grading.outcome import require
from grading.people import Person
from grading.plugin import check
from grading.system import eventually
from pymongo.collection import Collection


@check(points=3)
@pytest.mark.disturbs
def test_expired_posts_are_deleted(ada: Person, built_anew: float) -> None:
    """An expired post is hidden at once, MongoDB deletes it, and it leaves the feed"""
    now = datetime.now(UTC)
    ids = {}
    for name, expires in (
        ("soon", now + timedelta(seconds=2)),
        ("later", now + timedelta(hours=1)),
        ("pending", now + timedelta(hours=1)),
        ("", None),
    ):
        new = {"title": "t", "content": "c", "expires_at": expires and expires.isoformat()}
        ids[name] = ObjectId(ada.http.post("/api/posts", json=new).json()["id"])
    with mongodb() as client:
        posts, before = client[POSTS][POSTS], _deleted_by_ttl(client)
        until_settled(posts, ids["pending"])
        # Expired for longer than the others, and as if its last event was still pending.
        pending = {"expires_at": now - timedelta(hours=1), "settled": False}
        posts.update_one({"_id": ids["pending"]}, {"$set": pending})
        try:
            eventually(
                lambda: ada.http.get(f"/api/posts/{ids['soon']}").status_code == 404,
                within=5,
                what="the expired post to be hidden",
            )
            eventually(
                lambda: posts.count_documents({"_id": ids["soon"]}) == 0,
                within=8,
                what="MongoDB to delete the post after its time",
            )
            eventually(
                lambda: _deleted_by_ttl(client) > before,
                within=3,
                what="MongoDB to count it as a TTL deletion",
            )
            left = posts.count_documents({"_id": {"$in": [ids["later"], ids[""]]}})
            waits = posts.count_documents({"_id": ids["pending"]})
        finally:
            posts.update_one({"_id": ids["pending"]}, {"$set": {"settled": True}})
    require(
        waits,
        "let a post expire whose last event was not published yet",
        expected="still there: MongoDB may delete settled posts only",
        saw="it is gone, and its event with it",
        means="MongoDB deleted the post together with its pending event, so no reader ever hears of that"
        ' change. The index `expiry` needs `partialFilterExpression={"settled": True}`. Look at'
        " `ensure_collection` in posts.py.",
    )
    require(
        left == 2,
        "let one post expire; another has an hour left, a third no end",
        expected="both others still there",
        saw=f"{left} of 2",
        means="MongoDB deleted a post whose time is not over. The TTL index has to be on `expires_at`, and on"
        " no other field. Look at `ensure_collection` in posts.py.",
    )

    def shown() -> set[str]:
        items = ada.http.get("/api/activity-stream/user").json()["items"]
        return {str(item["post_id"]) for item in items}

    eventually(
        lambda: not shown() & {str(ids["soon"]), str(ids["pending"])},
        within=4,
        what="the expired posts to leave the feed: the change stream needs them as they were"
        " (changeStreamPreAndPostImages)",
    )


def until_settled(posts: Collection[dict[str, Any]], *ids: ObjectId) -> None:
    """Wait until the relay has published all events of these posts, and does not change them any more."""
    wanted = {"_id": {"$in": [*ids]}, "settled": True}
    eventually(
        lambda: posts.count_documents(wanted) == len(ids), within=10, what="the posts' events to be published"
    )


@contextmanager
def three_posts(ada: Person) -> Iterator[tuple[str, str, str]]:
    """Ids of three posts: one to keep, one deleted, one expired 0.1 s ago. MongoDB still has all of them."""
    kept, deleted, expired = (
        ada.http.post("/api/posts", json={"title": title, "content": "c"}).json()["id"]
        for title in ("kept", "deleted", "expired")
    )
    just_now = timedelta(milliseconds=100)
    with mongodb() as client:
        posts = client[POSTS][POSTS]

        def put(post: str, **fields: object) -> None:
            posts.update_one({"_id": ObjectId(post)}, {"$set": fields})

        until_settled(posts, ObjectId(deleted), ObjectId(expired))
        put(deleted, deleted=True)
        put(kept, expires_at=datetime.now(UTC) + timedelta(minutes=5))
        put(expired, expires_at=datetime.now(UTC) - just_now, settled=False)
        try:
            yield kept, deleted, expired
        finally:
            put(deleted, deleted=False)
            put(expired, expires_at=None, settled=True)
            put(kept, expires_at=None)
    for post in (kept, deleted, expired):
        ada.http.delete(f"/api/posts/{post}")


THREE = (
    "deleted one of three posts, let one expire 0.1 s ago, while MongoDB still has both; the third one"
    " expires in five minutes"
)


@check(points=2)
def test_gone_posts_are_hidden(ada: Person) -> None:
    """Deleted and expired posts are in no list, and no page has a gap because of them"""
    with three_posts(ada):
        page = ada.http.get("/api/posts", params={"user_id": ada.id}).json()
        first = ada.http.get("/api/posts", params={"user_id": ada.id, "limit": 1}).json()
        front = ada.http.get("/api/posts", params={"limit": 100}).json()["items"]
    seen = [post["title"] for post in page["items"]]
    everybodys = [post["title"] for post in front if post["user_id"] == ada.id]
    require(
        (seen, everybodys, page["total"]) == (["kept"], ["kept"], 1),
        f"{THREE}; read the author's page and the page of all authors",
        expected="the third one in both, and a total of 1",
        saw=f"{seen} and {everybodys}, total {page['total']}",
        means="Readers must not see a post that is deleted or expired, even if MongoDB still has it."
        " `visible()` returns the filter for the moment of the call, so `page` in posts.py has to call it for"
        " each request.",
    )
    titles = [post["title"] for post in first["items"]]
    require(
        (titles, first["next"]) == (["kept"], None),
        f"{THREE}; read the author's list with limit=1",
        expected="the third one, and `next` null",
        saw=f"{titles}, next {first['next']}",
        means="The query has to leave out hidden posts. A program that removes them afterwards shows pages"
        " with gaps, and a `next` that leads to nothing. Look at `page` in posts.py.",
    )


@check(points=1)
def test_gone_posts_are_not_changed(ada: Person) -> None:
    """A deleted or expired post cannot be changed"""
    with three_posts(ada) as (_, *gone):
        changed = [ada.http.put(f"/api/posts/{post}", json={"title": "changed"}).status_code for post in gone]
    require(
        changed == [404, 404],
        f"{THREE}; changed the deleted one and the expired one",
        expected=[404, 404],
        saw=changed,
        means="A change of a hidden post would bring it back. The filter of `find_one` in `change` (posts.py)"
        " needs `**visible()`, called for each change.",
    )


def _deleted_by_ttl(client: Any) -> int:
    return int(client.admin.command("serverStatus")["metrics"]["ttl"]["deletedDocuments"])
