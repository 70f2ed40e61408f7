"""Posts that are deleted, and posts whose time is over."""

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
    """A post is hidden when its time is over, MongoDB itself deletes it, and the feed hears of it"""
    now = datetime.now(UTC)
    ids = {}
    for name, expires in (
        ("soon", now + timedelta(seconds=2)),
        ("later", now + timedelta(hours=1)),
        ("owing", now + timedelta(hours=1)),
        ("", None),
    ):
        new = {"title": "t", "content": "c", "expires_at": expires and expires.isoformat()}
        ids[name] = ObjectId(ada.http.post("/api/posts", json=new).json()["id"])
    with mongodb() as client:
        posts, before = client[POSTS][POSTS], _deleted_by_ttl(client)
        until_settled(posts, ids["owing"])
        # Over for longer than the others, and as if its last event still waited.
        owing = {"expires_at": now - timedelta(hours=1), "settled": False}
        posts.update_one({"_id": ids["owing"]}, {"$set": owing})
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
            waits = posts.count_documents({"_id": ids["owing"]})
        finally:
            posts.update_one({"_id": ids["owing"]}, {"$set": {"settled": True}})
    require(
        waits,
        "let a post expire whose last event was not published yet",
        expected="still there: MongoDB may delete settled posts only",
        saw="it is gone, and its event with it",
        means="What MongoDB deletes takes the waiting event along, and nobody ever hears of that change.",
    )
    require(
        left == 2,
        "let one post expire; another has an hour left, a third no end",
        expected="both others still there",
        saw=f"{left} of 2",
        means="The TTL index belongs on expires_at, and on nothing else.",
    )

    def shown() -> set[str]:
        items = ada.http.get("/api/activity-stream/user").json()["items"]
        return {str(item["post_id"]) for item in items}

    eventually(
        lambda: not shown() & {str(ids["soon"]), str(ids["owing"])},
        within=4,
        what="the expired posts to leave the feed: the change stream needs them as they were"
        " (changeStreamPreAndPostImages)",
    )


def until_settled(posts: Collection[dict[str, Any]], *ids: ObjectId) -> None:
    """Wait until the relay has published what these posts owed: then it leaves them alone."""
    wanted = {"_id": {"$in": [*ids]}, "settled": True}
    eventually(
        lambda: posts.count_documents(wanted) == len(ids), within=10, what="the posts' events to be published"
    )


@check(points=2)
def test_gone_posts_are_hidden(ada: Person) -> None:
    """Deleted and expired posts are in no list, and nobody can change them"""
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
            page = ada.http.get("/api/posts", params={"user_id": ada.id}).json()
            first = ada.http.get("/api/posts", params={"user_id": ada.id, "limit": 1}).json()
            front = ada.http.get("/api/posts", params={"limit": 100}).json()["items"]
            changed = [
                ada.http.put(f"/api/posts/{post}", json={"title": "changed"}).status_code
                for post in (deleted, expired)
            ]
        finally:
            put(deleted, deleted=False)
            put(expired, expires_at=None, settled=True)
            put(kept, expires_at=None)
    did = (
        "let one of three posts be deleted, one expire 0.1 s ago, both still in MongoDB; the third one"
        " expires in five minutes"
    )
    seen = [post["title"] for post in page["items"]]
    everybodys = [post["title"] for post in front if post["user_id"] == ada.id]
    require(
        (seen, everybodys, page["total"]) == (["kept"], ["kept"], 1),
        f"{did}; read the author's list and everybody's",
        expected="the third one in both, and a total of 1",
        saw=f"{seen} and {everybodys}, total {page['total']}",
        means="A post that waits for its removal is gone for readers. `visible()` says which posts are"
        " left at"
        " the moment of the call, so `page` in posts.py has to call it for each request.",
    )
    titles = [post["title"] for post in first["items"]]
    require(
        (titles, first["next"]) == (["kept"], None),
        f"{did}; read the author's list with limit=1",
        expected="the third one, and `next` null",
        saw=f"{titles}, next {first['next']}",
        means="The query has to leave out hidden posts. A program that removes them afterwards shows"
        " pages with"
        " gaps, and a `next` that leads to nothing. Look at `page` in posts.py.",
    )
    require(
        changed == [404, 404],
        f"{did}; changed both",
        expected=[404, 404],
        saw=changed,
        means="A change of a hidden post would bring it back. `change` in posts.py has to look with"
        " `visible()`, asked again for each change.",
    )
    for post in (kept, deleted, expired):
        ada.http.delete(f"/api/posts/{post}")


def _deleted_by_ttl(client: Any) -> int:
    return int(client.admin.command("serverStatus")["metrics"]["ttl"]["deletedDocuments"])
