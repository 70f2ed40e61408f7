"""The collection of posts in an empty database, and posts while MongoDB does not answer."""

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
from pymongo.errors import OperationFailure
from civildiy.posts.store import ensure_collection

async def main():
    client = AsyncMongoClient(f"mongodb://{sys.argv[1]}", directConnection=True)
    for turn in range(3):
        try:
            await ensure_collection(client[sys.argv[2]])
            say("done")
        except OperationFailure as error:
            say(error.details["errmsg"][:200])
        except Exception as error:
            say(f"{type(error).__name__}: {error}"[:200])
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
                said = module.hear("ensure_collection() in an empty database to return", within=30)
                did = "called ensure_collection() in an empty database"
                _returned(said, did)
                _compare(client[name], did)
                built = _built(client[name])
                for field, options in HARMFUL.items():
                    client[name]["posts"].create_index(field, **options)
                module.tell("go on")
                said = module.hear("ensure_collection() to return a second time", within=30)
                again = "called ensure_collection() a second time"
                _returned(said, again)
                _compare(client[name], again)
                _nothing_else(client[name], built, again)
                did = _replaced(client[name]["posts"])
                module.tell("go on")
                said = module.hear("ensure_collection() to return a third time", within=30)
                require(
                    said == "done",
                    f"{did}, and called ensure_collection()",
                    expected="the index to be replaced",
                    saw=f"MongoDB's error: {said}",
                    means="An earlier version of posts made this index, and now the service cannot start."
                    " `create_index` refuses to change an index; `ensure_index(posts, name, keys, **options)`"
                    " drops the old one first. Look at `ensure_collection` in posts.py.",
                )
                _compare(client[name], did, REPLACES)
        finally:
            client.drop_database(name)


def _returned(said: str, did: str) -> None:
    require(
        said == "done",
        did,
        expected="no error: it runs at each start of posts, and creates only what is missing",
        saw=said,
        means="After this error posts does not start. `open_collection(database)` returns the collection and"
        " creates it only if it is missing; `ensure_index` does the same for an index. Look at"
        " `ensure_collection` in posts.py.",
    )


REPLACES = (
    "An earlier version of posts left this index, and it was kept because it has the right name."
    " `ensure_index(posts, name, keys, **options)` compares the options as well, and replaces the index: call"
    " it for each of the three, in each case. "
)
HARMFUL: dict[str, dict[str, Any]] = {
    "title": {"unique": True}, "created_at": {"expireAfterSeconds": 3600}, "content": {},
}  # fmt: skip
"""Indexes that earlier code may have left; the last one does no harm."""


def _replaced(posts: Any) -> str:
    """Put an index with other options in the place of `expiry`, as earlier code may have made it."""
    posts.drop_index("expiry")
    posts.create_index("expires_at", name="expiry", expireAfterSeconds=86_400)
    return "put an index `expiry` with another time and without a filter in the place of the right one"


def _built(database: Any) -> dict[str, Any]:
    """Since when each index has existed."""
    return {
        one["name"]: one["accesses"]["since"] for one in database["posts"].aggregate([{"$indexStats": {}}])
    }


def _nothing_else(database: Any, built: dict[str, Any], did: str) -> None:
    now = _built(database)
    harmful = [name for name in ("title_1", "created_at_1") if name in now]
    require(
        not harmful,
        f"created a unique index on `title` and a TTL index on `created_at`, and {did}",
        expected="both to be dropped",
        saw=f"still there: {', '.join(harmful)}",
        means="What earlier code left may do harm: a TTL index deletes posts, and a unique one refuses them."
        " `drop_harmful(posts)` drops such indexes: call it last in `ensure_collection` (posts.py), also when"
        " the three indexes exist already.",
    )
    rebuilt = [name for name, since in built.items() if now.get(name) != since]
    require(
        not rebuilt,
        did,
        expected="the indexes that exist to be kept",
        saw=f"built again: {', '.join(rebuilt)}",
        means="A second call must change nothing: it runs at each start of posts, and building an index takes"
        " minutes if there are many posts. `ensure_index` creates only what is missing. Look at"
        " `ensure_collection` in posts.py.",
    )


WANTED: dict[str, tuple[dict[str, Any], str]] = {
    "user_id": (
        {"keys": "user_id 1, _id -1"},
        "An author's page is found by `user_id` and sorted by `_id` downwards, in this order.",
    ),
    "expiry": (
        {"keys": "expires_at 1", "expireAfterSeconds": 0, "partialFilterExpression": {"settled": True}},
        "MongoDB deletes a post 0 s after its `expires_at`, and only if it is settled: a post that is not"
        " settled has a pending event, which would be deleted with it.",
    ),
    "outbox": (
        {"keys": "updated_at 1", "partialFilterExpression": {"settled": False}},
        "The relay asks for unsettled posts by `updated_at`; the index holds only these.",
    ),
}


def _compare(database: Any, did: str, why: str = "") -> None:
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
            means=why + means,
        )
    found: dict[str, Any] = next(iter(database.list_collections(filter={"name": "posts"})), {})
    images = found.get("options", {}).get("changeStreamPreAndPostImages", {}).get("enabled", False)
    require(
        images,
        f"{did}, and looked at the options of the collection `posts`",
        expected="changeStreamPreAndPostImages enabled",
        saw=images,
        means="MongoDB deletes an expired post by itself. Only the image of the deleted document tells the"
        " relay whose post it was. `open_collection` sets this option: call it first in `ensure_collection`.",
    )


@check(points=1)
@pytest.mark.disturbs
def test_posts_without_database(ada: Person) -> None:
    """While MongoDB does not answer, a page gets 503, and is not empty"""
    ada.http.post("/api/posts", json={"title": "t", "content": "c"})
    pages = [
        lambda: ada.http.get("/api/posts", params={"user_id": ada.id}),
        lambda: ada.http.get("/api/posts", params={"limit": 1}),
    ]
    did = "paused MongoDB, and read the author's page and the page of all authors"
    with paused("mongodb"):
        seen, slowest = answered("posts", pages)
    nobody_else_waited("posts", slowest, did, "`page` in posts.py")
    require(
        seen == [503, 503],
        did,
        expected="503 for both",
        saw=seen,
        means="Your code takes a database that does not answer for an empty one. Let pymongo's errors pass"
        " through `page` in posts.py; the service answers 503 for them.",
    )


@check(points=1)
@pytest.mark.disturbs
def test_change_without_database(ada: Person) -> None:
    """While MongoDB does not answer, a change gets 503, not 404 or 409"""
    post = ada.http.post("/api/posts", json={"title": "t", "content": "c"}).headers["Location"]
    did = "paused MongoDB, and changed a post that exists"
    with paused("mongodb"):
        seen, slowest = answered("posts", [lambda: ada.http.put(post, json={"title": "changed"})])
    nobody_else_waited("posts", slowest, did, "`change` in posts.py")
    require(
        seen == [503],
        did,
        expected="503",
        saw=seen,
        means="Your code takes a database that does not answer for a post that does not exist (404), or for a"
        " change that came first (409). Let pymongo's errors pass through `change` in posts.py; the service"
        " answers 503 for them.",
    )
