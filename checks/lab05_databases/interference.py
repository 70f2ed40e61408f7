"""One change at a time, while the check itself writes between its read and its write."""

import json
import secrets
from typing import Any

from grading.databases import mongodb
from grading.learner_process import beside
from grading.outcome import require
from grading.people import Person
from grading.plugin import check
from grading.stack import ENDPOINTS

from lab.course.exercise import Exercise

POSTS = """
import asyncio, json, sys
from datetime import timedelta
from pymongo import AsyncMongoClient, MongoClient
from civildiy.chassis.errors import Forbidden
from civildiy.posts.document import changed, new_post, now
from civildiy.posts.relay.outbox import put_event
from civildiy.posts.store import ATTEMPTS, Change, PostStore

def database(client):
    return client(f"mongodb://{sys.argv[1]}", directConnection=True, tz_aware=True)[sys.argv[2]]

posts = database(MongoClient)["posts"]

async def changed_post(store, interfering=0, ahead=0, refused=False):
    post = new_post(1, "first", "text", [], None, now() + timedelta(seconds=ahead))
    await store.add(post, put_event("post.created", post, post["updated_at"], "t"))
    seen = []

    def decide(found, time):
        seen.append((found["version"], found["content"], time >= found["updated_at"]))
        if refused:
            raise Forbidden("no")
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

async def main():
    store = PostStore(database(AsyncMongoClient))
    say(json.dumps({
        "alone": await changed_post(store),
        "three": await changed_post(store, interfering=3),
        "ahead": await changed_post(store, ahead=60),
        "refused": await changed_post(store, refused=True),
    }))
    sys.stdin.readline()
    say(json.dumps(await changed_post(store, interfering=300)))

asyncio.run(main())
"""


@check(points=2)
def test_change_step_by_step(lab: Exercise) -> None:
    """A change that another request overtakes is decided again from the new state, at most ATTEMPTS times"""
    name = f"checks-{secrets.token_hex(6)}"
    with mongodb() as client:
        try:
            with beside(lab, "posts", POSTS, ENDPOINTS["mongodb"], name) as module:
                seen: dict[str, Any] = json.loads(module.hear("four changes of posts", within=20))
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
        " the first read of `change` in posts.py may raise NotFound.",
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
    three = seen["three"]
    versions = [version for version, *_ in three["seen"]]
    wanted = {"title": "title 4", "content": "from another request 3", "version": 5}
    require(
        versions == [1, 2, 3, 4] and three["kept"] == three["outcome"] == wanted,
        "changed a post while another request changed it before each of the first three writes",
        expected=f"decide() to be called with the versions 1, 2, 3 and 4, and then {wanted}",
        saw=f"decide() was called with the versions {versions}; answer {three['outcome']}, in MongoDB"
        f" {three['kept']}",
        means="When find_one_and_update matches no document, another request was faster. `change` in posts.py"
        " then has to read the post again, to call `decide` with what it read, and to write with that"
        " version in the filter.",
    )


PROFILES = """
import asyncio, json, sys
import psycopg
from sqlalchemy import event
from sqlalchemy.orm import Session
from civildiy.chassis.clients import postgres, sqlalchemy
from civildiy.chassis.settings import load_settings
from civildiy.profile.settings import ProfileSettings
from civildiy.profile.store import ATTEMPTS, ProfileStore

user = int(sys.argv[1])
settings = load_settings(ProfileSettings)
info = postgres.connection_info(settings, "check")
statement = "UPDATE user_profiles SET city = %s, version = version + 1 WHERE user_id = %s"
store = ProfileStore(sqlalchemy.engine(settings, "profile"))

class Other:
    # Another request. It writes between the read and the write of update(), unless the row is locked.
    def __init__(self, times):
        self.times, self.writes, self.done, self.city = times, 0, 0, "Bern"

    def __call__(self, session, *_):
        if not session.dirty:
            return
        self.writes += 1
        if self.writes > self.times:
            return
        try:
            with psycopg.connect(info) as connection:
                connection.execute("SET lock_timeout = '300ms'")
                connection.execute(statement, (f"city {self.writes}", user))
        except psycopg.errors.LockNotAvailable:
            return
        self.done, self.city = self.done + 1, f"city {self.writes}"

async def update(times, changes):
    other = Other(times)
    event.listen(Session, "before_flush", other)
    try:
        profile = await store.update(user, changes)
        outcome = {name: getattr(profile, name) for name in ("first_name", "city", "bio")}
    except Exception as error:
        outcome = type(error).__name__
    finally:
        event.remove(Session, "before_flush", other)
    return {
        "outcome": outcome, "limit": ATTEMPTS, "writes": other.writes, "done": other.done, "city": other.city,
    }

async def main():
    say(json.dumps({
        "three": await update(3, {"first_name": "Ada", "bio": None}),
        "always": await update(300, {"first_name": "Grace"}),
    }))

asyncio.run(main())
"""


@check(points=2)
def test_update_step_by_step(lab: Exercise, ada: Person) -> None:
    """An update that another request overtakes is applied to the new state, at most ATTEMPTS times"""
    ada.http.post("/api/profile", json={"city": "Bern", "bio": "to be removed"}).raise_for_status()
    with beside(lab, "profile", PROFILES, str(ada.id)) as module:
        seen: dict[str, Any] = json.loads(module.hear("two updates of a profile", within=30))
    three, always = seen["three"], seen["always"]
    wanted = {"first_name": "Ada", "city": three["city"], "bio": None}
    require(
        three["outcome"] == wanted,
        "set first_name to 'Ada' and bio to null, while another request changed the city before each of the"
        " first three commits",
        expected=wanted,
        saw=three["outcome"],
        means=f"{_why(three['outcome'], wanted)} Look at `update` in profiles.py.",
    )
    if not always["done"]:
        return  # a lock on the row: no other request can come in between
    require(
        always["outcome"] == "Conflict" and always["writes"] == always["limit"],
        "updated a profile while another request changed it before each commit",
        expected=f"Conflict after {always['limit']} attempts (ATTEMPTS)",
        saw=f"{always['outcome']} after {always['writes']}",
        means="Without a limit such a request never ends. With one attempt only, users get 409 whenever two"
        " devices write at once. Look at the loop of `update` in profiles.py.",
    )


def _why(seen: object, wanted: dict[str, Any]) -> str:
    if seen == "Conflict":
        return (
            "StaleDataError says that another change came first. The change can still be made: open a new"
            " session, read the row again, and set the fields again, at most ATTEMPTS times."
        )
    if not isinstance(seen, dict):
        return (
            "After StaleDataError the session cannot be used any more. Open a new session for each attempt,"
            " and read the row again in it."
        )
    if seen["city"] != wanted["city"]:
        return (
            "The change of another request is lost. With `version_id_col` SQLAlchemy writes only if the"
            " version is still the one that was read, and raises StaleDataError otherwise."
        )
    return (
        "Set exactly the fields in `changes`, also those whose new value is None: a user removed that text."
    )
