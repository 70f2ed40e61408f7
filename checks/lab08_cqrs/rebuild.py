"""The view is rebuilt while users read and write."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import ObjectId
from grading import checked_http
from grading.databases import POSTS, mongodb
from grading.events import Post, project, publish, redis, settled, stats, take_back
from grading.outcome import require
from grading.people import Person, said
from grading.plugin import check
from grading.system import ENDPOINTS, eventually
from grading.tools import tool
from grading.topic import listening
from kafka import TopicPartition
from redis import Redis

from civildiy.chassis.clients.kafka import admin as admin_client
from civildiy.contracts.posts.envelope import POSTS_TOPIC
from civildiy.feed import keys
from lab.deadlines import slow
from lab08_cqrs.stream import STREAM, filled, own, write

APPLAUSE = b'{"specversion": "1.0", "type": "post.applauded"}'
"""An event that the projector skips and counts; a rebuild does not read it: it is before its start."""


@contextmanager
def reader(person: Person, least: int) -> Iterator[list[str]]:
    """Reads a person's stream all the time; what is yielded fills with what went wrong."""
    wrong: list[str] = []
    ended = threading.Event()

    def read() -> None:
        most = least
        with checked_http.client(base_url=ENDPOINTS["gateway"], timeout=20) as http:
            http.headers["Authorization"] = f"Bearer {person.token}"
            while not ended.is_set():
                answer = http.get(f"{STREAM}/user", params={"limit": 1})
                total = answer.json()["total"] if answer.status_code == 200 else -1
                if total < most:
                    wrong.append(f"{total} entries after {most}" if total >= 0 else said(answer))
                most = max(most, total)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield wrong
    finally:
        ended.set()
        thread.join()


def rebuilt() -> None:
    """Run the rebuild, which must say that it switched."""
    _switched(tool("feed-rebuild"))


def _switched(answer: dict[str, Any]) -> None:
    require(
        answer.get("switched"),
        "./lab rebuild",
        expected="that it switches to the new view",
        saw=answer.get("why", answer),
        means="The rebuild gave up, and the live view stays as it is. Look at `run` and `_follow` in"
        " rebuild.py.",
    )


@check(points=4)
@pytest.mark.disturbs
def test_rebuild_under_way(ada: Person, bob: Person) -> None:
    """A rebuild gives the same view, loses no post that is written meanwhile, and disturbs no read"""
    ids = filled(ada, 20)
    ada.http.put(f"/api/posts/{ids[12]}", json={"title": "changed"}).raise_for_status()
    with redis() as client:
        mine = keys.of_user(ada.id)
        eventually(lambda: b"changed" in client.lrange(mine, 0, 0)[0], within=20, what="the change")
        before = client.lrange(mine, 0, -1)
        client.lset(mine, 7, before[7].replace(b'"title"', b'"Title"'))  # a fault to be repaired
    settled(publish([("nobody", APPLAUSE)]))
    counted = stats()["counters"]
    written: list[str] = []
    ended = threading.Event()

    def keep_writing() -> None:
        while not ended.is_set():
            written.extend(write(bob, "meanwhile"))

    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        with reader(ada, 20) as problems:
            rebuilt()
    finally:
        ended.set()
        writer.join()
    require(
        not problems,
        "read one's own stream of 20 posts all the time during ./lab rebuild",
        expected="20 entries in each answer",
        saw=f"{len(problems)} answers were wrong, such as: {problems[:1]}",
        means="Readers saw an unfinished view. Build the new view in the other database, and switch only"
        " when it is complete. Look at `run` in rebuild.py.",
    )
    wanted = written[::-1][: keys.USER_MAX]
    deadline = time.monotonic() + 10 * slow()
    while (seen := [i["post_id"] for i in own(bob)["items"]]) != wanted and time.monotonic() < deadline:
        time.sleep(0.1)
    require(
        seen == wanted,
        f"wrote {len(written)} posts during ./lab rebuild",
        expected="all of them in the stream, newest first",
        saw=f"{len(set(wanted) - set(seen))} are missing, {len(seen) - len(set(seen))} are there twice",
        means="Events that are published after the first post was read have to be applied as well. Look at"
        " `run` in rebuild.py, which notes the end of the topic before that, and at `_follow`.",
    )
    with redis() as client:
        after = client.lrange(mine, 0, -1)
    require(
        after == before,
        "compared the list before, spoilt by hand in one entry, with the one after ./lab rebuild",
        expected="the same entries in the same order, the spoilt one repaired",
        saw=f"{len(set(before) - set(after))} are other or missing; {len(after)} instead of {len(before)}",
        means="The rebuilt view differs from the one that the projector made. Apply the same events by"
        " `self._new.apply`. Look at `run` and `_follow` in rebuild.py.",
    )
    now = stats()["counters"]
    require(
        all(now[name] >= count for name, count in counted.items()),
        "read the counters of the view (stats) before and after ./lab rebuild",
        expected="none smaller than before",
        saw=f"{now} after {counted}",
        means="The counters are stored in the live view only. SWITCH in rebuild.py has to copy KEYS[3] to"
        " KEYS[#KEYS] to the new view.",
    )
    with beside_the_view() as beside:
        eventually(
            lambda: beside.dbsize() == 0,
            within=2,
            what=f"the old view, now in Redis {keys.REBUILD_DATABASE}, to be emptied",
        )


def beside_the_view() -> Redis:
    """A client of the Redis database in which a view is rebuilt."""
    host, _, port = ENDPOINTS["redis"].rpartition(":")
    return Redis(host=host, port=int(port), db=keys.REBUILD_DATABASE, socket_timeout=5)


def removed(person: Person, post_id: str) -> None:
    """Delete a post, and wait until the view knows, and MongoDB has nothing left of it."""
    person.http.delete(f"/api/posts/{post_id}").raise_for_status()
    with redis() as client, mongodb() as mongo:
        eventually(
            lambda: (
                not client.hexists(keys.of_post(post_id), "entry")
                and not mongo[POSTS][POSTS].count_documents({"_id": ObjectId(post_id)})
            ),
            within=20,
            what="a deleted post to be gone from the view and from MongoDB",
        )


@check(points=3)
@pytest.mark.disturbs
def test_rebuild_and_what_happens_meanwhile(ada: Person) -> None:
    """A rebuild keeps the versions of removed posts, and follows the topic from before it reads the posts"""
    ids = filled(ada, 6)
    removed(ada, ids[2])
    with mongodb() as mongo:
        # It changed longest ago, so it is among the first that a rebuild reads.
        longest_ago = {"$set": {"updated_at": datetime(2020, 1, 1, tzinfo=UTC)}}
        mongo[POSTS][POSTS].update_one({"_id": ObjectId(ids[5])}, longest_ago)
    with redis() as live, beside_the_view() as beside, ThreadPoolExecutor(1) as threads:
        before = beside.get(keys.GENERATION)
        running = threads.submit(tool, "feed-rebuild")
        # It has begun with an empty view; whatever it writes next has to wait a moment.
        while not running.done() and beside.get(keys.GENERATION) in (None, before):
            time.sleep(0.0005)
        live.client_pause(int(5000 * slow()), all=False)
        try:
            with listening() as topic:
                ada.http.put(f"/api/posts/{ids[5]}", json={"title": "meanwhile"}).raise_for_status()
                topic.wait({ids[5]: 2}, within=1)
        finally:
            live.client_unpause()
        _switched(running.result())
    eventually(lambda: stats()["lag_events"] == 0, within=20, what="a lag of 0")
    shown = {item["post_id"]: item["title"] for item in own(ada)["items"]}
    require(
        shown.get(ids[5]) == "meanwhile",
        "changed a post just when ./lab rebuild had read it, and read the stream after the switch",
        expected="its new words, 'meanwhile'",
        saw=shown.get(ids[5], "no such entry"),
        means="Seek to the end of the topic first, then read the posts. The other order loses a change that"
        " is published in between. Look at `run` in rebuild.py.",
    )
    late = Post(ada.id, "from the dead", ids[2])
    try:
        project((late, late.body()))
        back = [item["title"] for item in own(ada)["items"] if item["post_id"] == ids[2]]
    finally:
        take_back()
    require(
        not back,
        "deleted a post, ran ./lab rebuild, and put an old event of this post on the topic once more",
        expected="no entry: the post is gone",
        saw=back,
        means="Only the live view knows the versions of removed posts. Without them a late event brings a"
        " post back. Call `self._keep_removals()` in `run` (rebuild.py).",
    )


@check(points=3)
@pytest.mark.disturbs
def test_rebuild_without_old_records(ada: Person) -> None:
    """A rebuild works when Kafka has deleted the old records"""
    ids = filled(ada, 5)
    eventually(lambda: stats()["lag_events"] == 0, within=20, what="a lag of 0")
    admin = admin_client(ENDPOINTS["kafka"])
    try:
        admin.delete_records({TopicPartition(POSTS_TOPIC, 0): int(stats()["next_offset"])})
    finally:
        admin.close()
    rebuilt()
    seen = [item["post_id"] for item in own(ada)["items"]]
    require(
        seen == ids,
        "deleted all records from the topic, then ./lab rebuild",
        expected="the five posts that MongoDB has",
        saw=f"{len(seen)} of them",
        means="Kafka deletes events after a week, so the topic alone cannot fill the view. Load the posts"
        " from MongoDB: `self._load(posts)` in `run` (rebuild.py).",
    )
    new = write(ada, "after")
    what = "the next post in the rebuilt view"
    eventually(lambda: own(ada)["items"][0]["post_id"] == new[0], within=20, what=what)
