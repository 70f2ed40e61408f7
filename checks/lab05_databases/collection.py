"""The collection of posts in a database that is empty, and posts while MongoDB is silent."""

import json
import secrets
from typing import Any

import pytest
from grading.databases import at_once, mongodb
from grading.learner_process import beside
from grading.outcome import require
from grading.people import Person
from grading.plugin import check
from grading.stack import ENDPOINTS
from grading.system import paused

from lab.course.exercise import Exercise

PROGRAM = """
import asyncio, sys
from pymongo import AsyncMongoClient
from civildiy.posts.store import ensure_collection

async def main():
    client = AsyncMongoClient(f"mongodb://{sys.argv[1]}", directConnection=True)
    for turn in range(2):
        await ensure_collection(client[sys.argv[2]])
        say("done")
        sys.stdin.readline()

asyncio.run(main())
"""


@check(points=2)
def test_empty_collection(lab: Exercise) -> None:
    """In an empty MongoDB the collection and its indexes are made, and doing it again changes nothing"""
    name = f"checks-{secrets.token_hex(6)}"
    with mongodb() as client:
        try:
            with beside(lab, "posts", PROGRAM, ENDPOINTS["mongodb"], name) as module:
                for turn in ("in an empty database", "and then once more"):
                    module.hear(f"ensure_collection() {turn} to return", within=30)
                    seen = _shape(client[name])
                    require(
                        seen == WANTED,
                        f"called ensure_collection() {turn}, and looked at the collection `posts`",
                        expected=json.dumps(WANTED),
                        saw=json.dumps(seen),
                        means="A new system begins with an empty MongoDB, and a service begins many"
                        " times. Make"
                        " the collection if it is not there, then its three indexes and the images of"
                        " removed posts. Look at `ensure_collection` in posts.py.",
                    )
                    module.tell("go on")
        finally:
            client.drop_database(name)


WANTED = {
    "indexes": {
        "expiry": {"key": {"expires_at": 1}, "after": 0, "only": {"settled": True}},
        "outbox": {"key": {"updated_at": 1}, "after": None, "only": {"settled": False}},
        "user_id": {"key": {"_id": -1, "user_id": 1}, "after": None, "only": None},
    },
    "images": True,
}


def _shape(database: Any) -> dict[str, Any]:
    options = next(iter(database.list_collections(filter={"name": "posts"})), {}).get("options", {})
    indexes = {
        known["name"]: {
            "key": dict(sorted(known["key"].items())),
            "after": known.get("expireAfterSeconds"),
            "only": known.get("partialFilterExpression"),
        }
        for known in database["posts"].list_indexes()
        if known["name"] != "_id_"
    }
    images = options.get("changeStreamPreAndPostImages", {}).get("enabled", False)
    return {"indexes": dict(sorted(indexes.items())), "images": images}


@check(points=1)
@pytest.mark.disturbs
def test_posts_without_database(ada: Person) -> None:
    """While MongoDB is silent, a page and a change get 503, not an empty page or 404"""
    post = ada.http.post("/api/posts", json={"title": "t", "content": "c"}).headers["Location"]
    calls = (
        lambda: ada.http.get("/api/posts", params={"user_id": ada.id}),
        lambda: ada.http.put(post, json={"title": "changed"}),
    )
    with paused("mongodb"):
        seen = [answer.status_code for answer in at_once(2, lambda n: calls[n]())]
    require(
        seen == [503, 503],
        "froze MongoDB, read the author's page, and changed a post",
        expected="503 for both",
        saw=seen,
        means="Your code takes a database that does not answer for an empty one. Let errors of pymongo pass"
        " through `page` and `change` in posts.py; they become 503 by themselves.",
    )
