"""The collection of posts in a database that is empty, and posts while MongoDB is silent."""

import json
import secrets
from typing import Any

import pytest
from grading.databases import mongodb
from grading.learner_process import beside
from grading.outcome import require
from grading.people import Person
from grading.plugin import check
from grading.stack import ENDPOINTS
from grading.system import paused

from lab.course.exercise import Exercise
from lab05_databases.meanwhile import answered, nobody_else_waited

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
                    _compare(client[name], f"called ensure_collection() {turn}")
                    module.tell("go on")
        finally:
            client.drop_database(name)


WANTED: dict[str, tuple[dict[str, Any], str]] = {
    "user_id": (
        {"keys": "user_id 1, _id -1"},
        "An author's page is found by `user_id` and sorted by `_id` downwards, in this order.",
    ),
    "expiry": (
        {"keys": "expires_at 1", "expireAfterSeconds": 0, "partialFilterExpression": {"settled": True}},
        "MongoDB deletes a post at `expires_at`, so 0 s after it, and settled posts only: of the others an"
        " event still waits.",
    ),
    "outbox": (
        {"keys": "updated_at 1", "partialFilterExpression": {"settled": False}},
        "The relay asks for unsettled posts by `updated_at`; the index holds only these.",
    ),
}


def _compare(database: Any, did: str) -> None:
    known = {index["name"]: index for index in database["posts"].list_indexes()}
    for name, (wanted, means) in WANTED.items():
        seen = {option: known[name].get(option) for option in wanted} if name in known else {}
        if seen:
            seen["keys"] = ", ".join(f"{field} {order:g}" for field, order in known[name]["key"].items())
        require(
            seen == wanted,
            f"{did}, and looked at the index `{name}` of the collection `posts`",
            expected=json.dumps(wanted),
            saw=json.dumps(seen) if seen else f"no such index, only {sorted(known)}",
            means=means,
        )
    found: dict[str, Any] = next(iter(database.list_collections(filter={"name": "posts"})), {})
    images = found.get("options", {}).get("changeStreamPreAndPostImages", {}).get("enabled", False)
    require(
        images,
        f"{did}, and looked at the options of the collection `posts`",
        expected="changeStreamPreAndPostImages enabled",
        saw=images,
        means="When MongoDB deletes an expired post, the relay learns whose it was from the image of it.",
    )


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
        seen, slowest = answered("posts", calls)
    did = "froze MongoDB, read the author's page, and changed a post"
    nobody_else_waited("posts", slowest, did, "posts.py")
    require(
        seen == [503, 503],
        did,
        expected="503 for both",
        saw=seen,
        means="Your code takes a database that does not answer for an empty one. Let errors of pymongo pass"
        " through `page` and `change` in posts.py; they become 503 by themselves.",
    )
