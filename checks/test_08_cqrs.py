"""Lab 08: the read side: what a read costs, how far it is behind, made anew, and compared."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from bson import ObjectId
from grading import plain
from grading.databases import POSTS, mongodb
from grading.events import Post, project, redis, stats, take_back
from grading.outcome import require
from grading.people import Person, said
from grading.plugin import check
from grading.system import ENDPOINTS, backend, eventually, heal
from grading.tools import tool
from grading.topic import listening
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient
from pymongo import MongoClient
from redis import Redis

from civildiy.events.envelope import POSTS_TOPIC
from civildiy.feed import keys
from civildiy.feed.verify import EVERYBODY
from lab.readiness import slow

STREAM = "/api/activity-stream"


def write(person: Person, *titles: str) -> list[str]:
    """Write posts that must be accepted; returns their ids."""
    answers = [person.http.post("/api/posts", json={"title": t, "content": t}) for t in titles]
    return [str(answer.raise_for_status().json()["id"]) for answer in answers]


def own(person: Person, **query: int) -> dict[str, Any]:
    """A page of a person's own stream."""
    answer = person.http.get(f"{STREAM}/user", params={"limit": 100, **query})
    require(
        answer.status_code == 200,
        f"GET {STREAM}/user {query or ''}",
        expected="200",
        saw=said(answer),
        means="A read must be answered.",
    )
    page: dict[str, Any] = answer.json()
    return page


def filled(person: Person, count: int) -> list[str]:
    """A person with posts 0, 1, … in the view; returns the ids as in the list, newest first."""
    ids = write(person, *(f"{n}" for n in range(count)))[::-1]
    with redis() as client:
        key = keys.of_user(person.id)
        eventually(lambda: client.llen(key) == count, within=20, what=f"{count} posts in {key}")
    return ids


@check(points=2)
@pytest.mark.disturbs
def test_one_command_per_read(ada: Person) -> None:
    """A read is one command to Redis, and MongoDB does not hear of it"""
    filled(ada, 5)
    reads = 40
    own(ada)  # connections are made, scripts are loaded
    key = keys.of_user(ada.id).encode()
    host, _, port = ENDPOINTS["mongodb"].rpartition(":")
    with (
        MongoClient[dict[str, Any]](host, int(port), directConnection=True) as mongo,
        redis() as client,
        redis() as watcher,
        watcher.monitor() as monitor,
    ):

        def asked() -> int:
            return int(mongo.admin.command("top")["totals"]["posts.posts"]["queries"]["count"])

        mark, before, began = f"end {time.time_ns()}", asked(), time.monotonic()
        for _ in range(reads):
            own(ada, limit=5)
        queries, seconds = asked() - before, time.monotonic() - began
        client.echo(mark)
        seen = _until(monitor, mark)
    sent = [one for one in seen if one["client_type"] != "lua"]
    feed = {one["client_port"] for one in sent if key.decode() in one["command"]}
    commands = Counter(one["command"].split()[0].upper() for one in sent if one["client_port"] in feed)
    total = sum(commands.values())
    require(
        total == reads,
        f"read {reads} pages of 5 entries and watched Redis (MONITOR)",
        expected=f"{reads} commands",
        saw=f"{total}: {dict(commands)}",
        means="Each command is a round trip, and between two of them the list may change.",
    )
    # The relay looks into the outbox about once a second.
    require(
        queries < reads / 2 + 3 * seconds,
        f"read {reads} pages and asked MongoDB how often posts were queried (top)",
        expected="no query for a read",
        saw=f"{queries} queries",
        means="The view is there so that a read need not ask the write side.",
    )


def _until(monitor: Any, mark: str) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []
    while True:
        command = monitor.next_command()
        if mark in command["command"]:
            return seen
        seen.append(command)


@check(points=2)
@pytest.mark.disturbs
def test_reads_without_the_write_side(ada: Person) -> None:
    """Reads work while MongoDB and Kafka are away"""
    ids = filled(ada, 3)
    try:
        backend.stop_unit("mongodb")
        backend.stop_unit("kafka")
        seen = [item["post_id"] for item in own(ada)["items"]]
        public = ada.http.get(STREAM, params={"limit": 3})
    finally:
        backend.start_unit("mongodb")
        backend.start_unit("kafka")
        heal()
    require(
        seen == ids and public.status_code == 200,
        "stopped MongoDB and Kafka, then read both streams",
        expected="the same entries as before",
        saw=f"{len(seen)} entries of one's own; everybody's: {said(public)[:80]}",
        means="A read side that needs the write side fails with it.",
    )
    eventually(lambda: stats()["lag_events"] == 0, within=30, what="Kafka to be back and the lag to be 0")


@check(points=2)
def test_pages_and_bounds(ada: Person, bob: Person) -> None:
    """limit and skip: every page is the right one, and what is outside is refused by name"""
    ids = filled(ada, 7)
    for limit, skip in ((3, 0), (3, 3), (3, 6), (1, 1), (100, 0), (5, 7), (5, 1000)):
        page = own(ada, limit=limit, skip=skip)
        seen = [item["post_id"] for item in page["items"]]
        wanted = ids[skip : skip + limit]
        figures = {name: page.get(name) for name in ("total", "limit", "skip")}
        require(
            seen == wanted and figures == {"total": 7, "limit": limit, "skip": skip},
            f"limit={limit} and skip={skip} of 7 posts",
            expected=f"posts {skip + 1} to {skip + len(wanted)} of 7" if wanted else "no items, total 7",
            saw=f"places {[ids.index(one) + 1 if one in ids else '?' for one in seen]}, {figures}",
            means="LRANGE counts from 0 and includes both ends.",
        )
    empty = own(bob, limit=5)
    require(
        (empty["items"], empty["total"]) == ([], 0),
        "read the stream of somebody who has written nothing",
        expected="no items, total 0",
        saw=empty,
        means="A list that is not there is an empty list.",
    )
    page = ada.http.get(STREAM, params={"limit": 100}).json()
    front = [item["post_id"] for item in page["items"] if item["user_id"] == ada.id]
    require(
        front == ids and page["total"] >= len(page["items"]),
        "read everybody's stream right after seven posts",
        expected="the seven in it, newest first",
        saw=f"places {[ids.index(one) + 1 if one in ids else '?' for one in front]}, total {page['total']}",
        means="Everybody's stream is a list like one person's, with another key.",
    )
    for name, value in (("limit", "0"), ("limit", "101"), ("skip", "-1"), ("limit", "many"), ("skip", "1.5")):
        answer = ada.http.get(STREAM, params={name: value})
        require(
            answer.status_code == 422 and name in answer.text,
            f"GET {STREAM}?{name}={value}",
            expected=f"422 that names {name}",
            saw=said(answer),
            means="Whoever asks for a page that cannot be has to be told.",
        )


@check(points=3)
@pytest.mark.disturbs
def test_lag(ada: Person) -> None:
    """Lag is right while the projector runs, stands still, and is back"""
    filled(ada, 1)
    eventually(lambda: stats()["lag_events"] == 0, within=20, what="a lag of 0 while nothing waits")
    did = "stopped the projector and wrote posts"
    means = "The view cannot know what it has not read: ask the topic."
    backend.stop_unit("feed-projector")
    try:
        began = time.time()
        oldest = 0.0
        for written in (4, 7):
            write(ada, *["waits"] * (4 if written == 4 else 3))
            oldest = oldest or time.time()
            time.sleep(1)  # time passes also while nobody asks, and the oldest is older than the newest
            deadline = time.monotonic() + 10 * slow()
            while (lag := stats())["lag_events"] != written and time.monotonic() < deadline:
                time.sleep(0.1)
            saw = f"{lag['lag_events']} events"
            require(lag["lag_events"] == written, did, expected=f"{written} events", saw=saw, means=means)
        first = stats()["lag_seconds"]
        time.sleep(0.5)
        waited = time.time() - oldest
        second, passed = stats()["lag_seconds"], time.time() - began
        require(
            first is not None and first + 0.3 <= second <= passed + 0.5 and second >= waited - 0.3,
            did,
            expected="the age of the oldest post that waits, and growing",
            saw=f"{first} s, and half a second later {second} s; it was stopped {passed:.1f} s ago",
            means="Five events may be five seconds or five hours behind: readers feel the seconds.",
        )
    finally:
        backend.start_unit("feed-projector")
    caught_up = "the lag to be 0 events and 0 s after the projector is back"
    eventually(lambda: (s := stats())["lag_events"] == 0 and s["lag_seconds"] == 0, within=30, what=caught_up)


@contextmanager
def reader(person: Person, least: int) -> Iterator[list[str]]:
    """Reads a person's stream all the time; what is yielded fills with what went wrong."""
    wrong: list[str] = []
    ended = threading.Event()

    def read() -> None:
        most = least
        with plain.client(base_url=ENDPOINTS["gateway"], timeout=20) as http:
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
        means="The live view stays as it is when a rebuild gives up.",
    )


@check(points=4)
@pytest.mark.disturbs
def test_rebuild_under_way(ada: Person, bob: Person) -> None:
    """A rebuild gives the same view, loses nothing written meanwhile, and no read fails or shrinks"""
    ids = filled(ada, 20)
    ada.http.put(f"/api/posts/{ids[12]}", json={"title": "changed"}).raise_for_status()
    with redis() as client:
        mine = keys.of_user(ada.id)
        eventually(lambda: b"changed" in client.lrange(mine, 0, 0)[0], within=20, what="the change")
        before = client.lrange(mine, 0, -1)
        client.lset(mine, 7, before[7].replace(b'"title"', b'"Title"'))  # a fault to be mended
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
        means="The new view has to be whole before anybody reads it.",
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
        means="What is published between reading the posts and the switch has to be applied as well.",
    )
    with redis() as client:
        after = client.lrange(mine, 0, -1)
    require(
        after == before,
        "compared the list before, spoilt by hand in one entry, with the one after ./lab rebuild",
        expected="the same entries in the same order, the spoilt one mended",
        saw=f"{len(set(before) - set(after))} are other or missing; {len(after)} instead of {len(before)}",
        means="A rebuild that does not say the same as the projector makes a second truth.",
    )
    now = stats()["counters"]
    require(
        all(now[name] >= count for name, count in counted.items()),
        "read the counters of the view (stats) before and after ./lab rebuild",
        expected="none smaller than before",
        saw=f"{now} after {counted}",
        means="The counters are no copy of anything: what the switch does not take over is lost.",
    )
    with beside_the_view() as beside:
        eventually(
            lambda: beside.dbsize() == 0,
            within=2,
            what=f"the old view, now in Redis {keys.BESIDE}, to be emptied",
        )


def beside_the_view() -> Redis:
    """A client of the Redis database in which a view is made anew."""
    host, _, port = ENDPOINTS["redis"].rpartition(":")
    return Redis(host=host, port=int(port), db=keys.BESIDE, socket_timeout=5)


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
    """A rebuild takes over what was removed, and follows from before it reads the posts"""
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
        means="Note the end of the topic first, then read the posts: the other way round loses what is"
        " published in between.",
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
        means="MongoDB no longer knows what was removed, only the old view does. Without its versions the"
        " new one believes any late event.",
    )


@check(points=3)
@pytest.mark.disturbs
def test_rebuild_without_old_records(ada: Person) -> None:
    """A rebuild works when Kafka has deleted the old records"""
    ids = filled(ada, 5)
    eventually(lambda: stats()["lag_events"] == 0, within=20, what="a lag of 0")
    admin = KafkaAdminClient(bootstrap_servers=ENDPOINTS["kafka"])
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
        means="Kafka forgets after a week. Posts do not.",
    )
    new = write(ada, "after")
    what = "the next post in the rebuilt view"
    eventually(lambda: own(ada)["items"][0]["post_id"] == new[0], within=20, what=what)


@check(points=4)
@pytest.mark.disturbs
def test_verify_finds_what_is_planted(ada: Person, bob: Person, rng: Random) -> None:
    """verify names each planted fault, and nothing that is right"""
    ids = filled(ada, 8)
    both = filled(bob, 2)
    mine, theirs = keys.of_user(ada.id), keys.of_user(bob.id)
    ghost = f"{rng.getrandbits(96):024x}"

    def found() -> set[tuple[str, str, str]]:
        """Kind, post and place of what verify says of these persons' lists and posts."""
        findings = tool("feed-verify")["findings"]
        about = [f for f in findings if f["place"] in (mine, theirs) or f["post_id"] in (*ids, *both)]
        return {(f["kind"], f["post_id"], f["place"]) for f in about}

    def knowledge() -> set[str]:
        """Kinds of what verify says of what the view knows of these posts, and of the ghost."""
        places = {keys.of_post(post_id) for post_id in (*ids, ghost)}
        return {f["kind"] for f in tool("feed-verify")["findings"] if f["place"] in places}

    clean = found()
    require(
        not clean,
        "./lab verify while all is well",
        expected="nothing about this person's posts",
        saw=clean,
        means="Who cries wolf is not heard when it matters.",
    )
    with redis() as client:
        good = client.lrange(mine, 0, -1)
        spoilt = [*good]
        spoilt[6] = good[6].replace(b'"title":"1"', b'"title":"0"')  # stale words
        spoilt[2] = good[2].replace(ids[2].encode(), ghost.encode())  # one missing, one too many
        spoilt.insert(1, spoilt.pop(5))  # at the wrong place
        spoilt.append(good[7])  # twice
        spoilt.insert(0, bytes(client.lindex(theirs, 0) or b""))  # of another person, and the newest
        wanted = {
            ("stale", ids[6], mine),
            ("missing", ids[2], mine),
            ("surplus", ghost, mine),
            ("misplaced", ids[5], mine),
            ("surplus", ids[7], mine),
            ("misplaced", both[0], mine),
            *(("missing", post, theirs) for post in both),
            ("missing", ids[0], EVERYBODY),
        }
        with borrowed(client, mine, theirs), taken_out(client, keys.GLOBAL, good[0]):
            client.delete(mine, theirs)
            client.rpush(mine, *spoilt)
            seen = found()
    require(
        seen == wanted,
        "planted in a list of 8 a stale, a missing, a surplus, a doubled and a misplaced entry, and one of"
        " another person; took that person's list away, and an entry out of everybody's; then ./lab verify",
        expected=f"these {len(wanted)}, by kind, post and place",
        saw=f"not found: {sorted((kind, place) for kind, _, place in wanted - seen)};"
        f" found besides: {sorted((kind, place) for kind, _, place in seen - wanted)}",
        means="Lengths prove nothing: every list is compared item by item, also one that is not there.",
    )
    with redis() as client, borrowed(client, *(keys.of_post(post_id) for post_id in (ids[3], ids[4], ghost))):
        client.hset(keys.of_post(ids[3]), "version", 99)
        client.delete(keys.of_post(ids[4]))
        client.hset(keys.of_post(ghost), mapping={"version": 1, "entry": b"{}"})
        kinds = knowledge()
    require(
        kinds == {"stale", "missing", "surplus"},
        "planted a wrong version, took one away, added one of a post that never was; then ./lab verify",
        expected="stale, missing and surplus",
        saw=sorted(kinds),
        means="By these versions the view refuses late events: a wrong one makes it deaf to the next change.",
    )


@contextmanager
def taken_out(client: Redis, name: str, entry: bytes) -> Iterator[None]:
    """An entry is out of a list that others may write to, and afterwards at its place again."""
    entries = client.lrange(name, 0, -1)
    follower = entries[entries.index(entry) + 1]
    client.lrem(name, 1, entry)  # type: ignore[arg-type]
    try:
        yield
    finally:
        client.linsert(name, "BEFORE", follower, entry)  # type: ignore[arg-type]


@contextmanager
def borrowed(client: Redis, *names: str) -> Iterator[None]:
    """Keys of Redis that are as they were afterwards."""
    kept = {name: client.dump(name) for name in names}
    try:
        yield
    finally:
        for name, value in kept.items():
            client.delete(name)
            if value is not None:
                client.restore(name, keys.POST_SECONDS * 1000, value)
