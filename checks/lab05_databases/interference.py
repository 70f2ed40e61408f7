"""One change at a time, while the check itself writes between its read and its write."""

import json
import secrets
from typing import Any

from grading.databases import mongodb
from grading.learner_process import beside
from grading.outcome import require
from grading.plugin import check
from grading.stack import ENDPOINTS

from lab.course.exercise import Exercise
from lab05_databases.awake import ASLEEP, stayed_awake

POSTS = (
    ASLEEP
    + """
import json, sys
from datetime import timedelta
from pymongo import AsyncMongoClient, MongoClient
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import AutoReconnect
from civildiy.chassis.errors import Forbidden
from civildiy.posts.document import changed, new_post, now
from civildiy.posts.relay.outbox import put_event
from civildiy.posts.store import ATTEMPTS, Change, PostStore

def database(client):
    return client(f"mongodb://{sys.argv[1]}", directConnection=True, tz_aware=True)[sys.argv[2]]

posts = database(MongoClient)["posts"]

async def changed_post(store, interfering=0, ahead=0, refused=False, removed=False):
    post = new_post(1, "first", "text", [], None, now() + timedelta(seconds=ahead))
    await store.add(post, put_event("post.created", post, post["updated_at"], "t"))
    seen = []

    def decide(found, time):
        seen.append((found["version"], found["content"], time >= found["updated_at"]))
        if refused:
            raise Forbidden("no")
        if removed:
            posts.update_one({"_id": found["_id"]}, {"$set": {"deleted": True}, "$inc": {"version": 1}})
        if len(seen) <= interfering:
            text = f"from another request {len(seen)}"
            posts.update_one({"_id": found["_id"]}, {"$set": {"content": text}, "$inc": {"version": 1}})
        fields = {"title": f"title {len(seen)}", "updated_at": time, "version": found["version"] + 1}
        return Change(fields, put_event("post.updated", changed(found, fields), time, "t"))

    try:
        answer = await store.change(str(post["_id"]), decide)
        outcome = {name: answer.get(name) for name in ("title", "content", "version")}
    except Exception as error:
        outcome = type(error).__name__
    kept = posts.find_one({"_id": post["_id"]})
    return {
        "seen": seen, "outcome": outcome, "limit": ATTEMPTS,
        "kept": {name: kept.get(name) for name in ("title", "content", "version")},
    }

WRITES = ("find_one_and_update", "find_one_and_replace", "update_one", "replace_one", "bulk_write")

async def cut_after_writing(store):
    # The connection breaks after MongoDB has made the change, and before its answer arrives.
    real = {name: getattr(AsyncCollection, name) for name in WRITES}
    left = [1]

    def cut(write):
        async def written(self, *words, **more):
            answer = await write(self, *words, **more)
            if left:
                left.pop()
                raise AutoReconnect("made by the check")
            return answer
        return written

    for name in WRITES:
        setattr(AsyncCollection, name, cut(real[name]))
    try:
        return await changed_post(store)
    finally:
        for name in WRITES:
            setattr(AsyncCollection, name, real[name])

async def main():
    store = PostStore(database(AsyncMongoClient))
    say(json.dumps({
        "alone": await changed_post(store),
        "cut": await cut_after_writing(store),
        "three": await changed_post(store, interfering=3),
        "asleep": [*asleep],
        "ahead": await changed_post(store, ahead=60),
        "refused": await changed_post(store, refused=True),
        "gone": await changed_post(store, removed=True),
    }))
    sys.stdin.readline()
    say(json.dumps(await changed_post(store, interfering=300)))

asyncio.run(main())
"""
)


@check(points=2)
def test_change_step_by_step(lab: Exercise) -> None:
    """A change that another request overtakes is decided again from the new state, at most ATTEMPTS times"""
    name = f"checks-{secrets.token_hex(6)}"
    with mongodb() as client:
        try:
            with beside(lab, "posts", POSTS, ENDPOINTS["mongodb"], name) as module:
                seen: dict[str, Any] = json.loads(module.hear("six changes of posts", within=20))
                _changed(seen)
                module.tell("go on")
                did = "changed a post while another request changed it before each of your writes"
                always: dict[str, Any] = json.loads(
                    module.hear(
                        f"change() to give up; the check {did}",
                        within=20,
                        means="`change` in posts.py never gives up, so this request and its connection are"
                        " busy for ever. Try at most ATTEMPTS times, and then raise Conflict.",
                    )
                )
        finally:
            client.drop_database(name)
    require(
        always["outcome"] == "Conflict" and len(always["seen"]) == always["limit"],
        did,
        expected=f"Conflict after {always['limit']} attempts (ATTEMPTS)",
        saw=f"{always['outcome']} after {len(always['seen'])}",
        means="The post exists and the user may change it, so the answer is 409: try again later. Only"
        " a read that finds no post raises NotFound. Look at `change` in posts.py.",
    )


def _changed(seen: dict[str, Any]) -> None:
    alone = seen["alone"]
    require(
        alone["outcome"] == alone["kept"] == {"title": "title 1", "content": "text", "version": 2},
        "changed the title of a post by change(), and read the post in MongoDB",
        expected="version 2 with the new title, both as the answer of change() and in MongoDB",
        saw=f"answer {alone['outcome']}, in MongoDB {alone['kept']}",
        means="The answer is the post after the change: `return_document=ReturnDocument.AFTER`. Look at"
        " `change` in posts.py.",
    )
    ahead = seen["ahead"]
    require(
        all(later for *_, later in ahead["seen"]) and isinstance(ahead["outcome"], dict),
        "changed a post that was last changed by a machine whose clock is a minute ahead",
        expected="decide() to be called with a time that is not before the post's `updated_at`",
        saw="an earlier time" if isinstance(ahead["outcome"], dict) else ahead["outcome"],
        means="The time of a post went back, so readers who order by time show the older change as the newer"
        ' one. Call decide(post, max(now(), post["updated_at"])) in `change` (posts.py).',
    )
    refused = seen["refused"]
    require(
        refused["outcome"] == "Forbidden" and refused["kept"]["version"] == 1,
        "called change() with a decide() that raises Forbidden",
        expected="Forbidden, and the post unchanged",
        saw=f"{refused['outcome']}, version {refused['kept']['version']} in MongoDB",
        means="The API answers 403 for Forbidden and 404 for NotFound. `change` in posts.py must let the"
        " errors of `decide` pass.",
    )
    gone = seen["gone"]
    require(
        gone["outcome"] == "NotFound" and gone["kept"]["title"] == "first",
        "deleted a post after change() had read it and before it wrote",
        expected="NotFound, and nothing written",
        saw=f"{gone['outcome']}, title {gone['kept']['title']!r} in MongoDB",
        means="The answer None says that the post is not as it was read: another request has changed or"
        " deleted it. Begin again with find_one, which finds no visible post now: NotFound. Look at `change`"
        " in posts.py.",
    )
    cut = seen["cut"]
    require(
        isinstance(cut["outcome"], str)
        and cut["outcome"] not in ("Conflict", "NotFound")
        and cut["kept"]["version"] == 2,
        "cut the connection after MongoDB had written a change, and before its answer arrived",
        expected="pymongo's error, and version 2 in MongoDB",
        saw=f"{cut['outcome']}, version {cut['kept']['version']} in MongoDB",
        means="After an error of the connection nobody knows whether the change was written. Here it was, and"
        " your code made it a second time. Only an answer None means that another request was faster; let"
        " pymongo's errors pass through `change` in posts.py.",
    )
    three = seen["three"]
    versions = [version for version, *_ in three["seen"]]
    wanted = {"title": "title 4", "content": "from another request 3", "version": 5}
    require(
        versions == [1, 2, 3, 4] and three["kept"] == three["outcome"] == wanted,
        "changed a post while another request changed it before each of the first three writes",
        expected=f"decide() to be called with the versions 1, 2, 3 and 4, and then {wanted}",
        saw=f"decide() was called with the versions {versions}; answer {three['outcome']}, in MongoDB"
        f" {three['kept']}",
        means=f"{_reason(versions, three['kept'])} Look at `change` in posts.py.",
    )
    stayed_awake(
        seen["asleep"],
        "changed a post while another request changed it before each of the first three writes",
        "`change` in posts.py",
    )


def _reason(versions: list[int], kept: dict[str, Any]) -> str:
    if len(versions) == 1 and kept["version"] > 2:
        return (
            "`decide` was called once. What it returned belongs to version 1: its fields and its event lack"
            " the changes of the other requests. When a write matches no document, read the post again and"
            " call `decide` again with what was read."
        )
    return (
        "Each of the first three writes must match no document, because the filter holds the version that was"
        " read. Then another request was faster: read the post again, call `decide` with what was read, and"
        " write with that version in the filter."
    )
