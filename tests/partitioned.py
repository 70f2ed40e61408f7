"""A topic with several partitions, as the tests see it: users who write all the time, and all records."""

import json
import subprocess
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
from kafka.errors import UnknownTopicOrPartitionError
from pymongo import MongoClient
from redis import Redis
from support import ENDPOINTS, Person, backend, eventually, stopped, until_healthy

from civildiy.chassis.clients.kafka import admin, group_consumer
from civildiy.contracts.posts.envelope import POSTS_TOPIC
from civildiy.contracts.posts.topic_reader import count_partitions
from civildiy.contracts.posts.whole_topic import partitions_of
from civildiy.feed.projector.group import GROUP
from lab.deadlines import slow
from lab.home import REPO

PARTITIONS = 6


@dataclass(frozen=True)
class Written:
    """One record of the topic about a post."""

    partition: int
    offset: int
    version: int
    id: str


def by_post() -> dict[str, list[Written]]:
    """Return all records of each post; those of one partition in their order."""
    found = defaultdict(list)
    with partitions_of(ENDPOINTS["kafka"]) as topics:
        for topic in topics:
            topic.seek(topic.first())
            for record in topic.until(topic.end()):
                with suppress(ValueError, KeyError, TypeError):  # poison is part of some tests
                    event = json.loads(record.value)
                    found[event["data"]["post_id"]].append(
                        Written(record.partition, record.offset, event["postversion"], event["id"])
                    )
    return found


@dataclass
class Load:
    """What users did while a test ran."""

    versions: dict[str, int] = field(default_factory=dict)
    """The last version of each post."""
    refused: list[str] = field(default_factory=list)
    """Answers other than 2xx."""
    authors: dict[str, Person] = field(default_factory=dict)

    def settled(self) -> bool:
        """Return whether the feed shows the last version of each post."""
        assert self.refused == [], "what a refused request did is not known, so neither is what to wait for"
        for author in {*self.authors.values()}:
            shown = {item["post_id"]: item["version"] for item in author.feed()}
            mine = {post: v for post, v in self.versions.items() if self.authors[post] is author}
            if shown != mine:
                return False
        return True


@contextmanager
def load(writers: int = 3, posts: int = 20) -> Iterator[Load]:
    """Let users create posts and change them, one change after the other, until the block ends."""
    done, made = threading.Event(), Load()

    def write(person: Person) -> None:
        person.http.timeout = httpx.Timeout(30 * slow())  # an answer that comes late is no refusal
        mine: list[str] = []
        turn = 0
        while not done.is_set():
            turn += 1
            try:
                if len(mine) < posts:
                    answer = person.http.post("/api/posts", json={"title": f"post {turn}", "content": "c"})
                else:
                    answer = person.http.put(
                        f"/api/posts/{mine[turn % posts]}", json={"title": f"turn {turn}"}
                    )
            except httpx.HTTPError as error:
                made.refused.append(repr(error))
                continue
            if answer.status_code not in (200, 201):
                made.refused.append(f"{answer.status_code} {answer.text}")
                continue
            post = answer.json()
            if len(mine) < posts:
                mine.append(post["id"])
                made.authors[post["id"]] = person
            made.versions[post["id"]] = post["version"]

    threads = [threading.Thread(target=write, args=(Person(),)) for _ in range(writers)]
    for thread in threads:
        thread.start()
    try:
        yield made
    finally:
        done.set()
        for thread in threads:
            thread.join()


def right_on_the_topic(made: Load) -> None:
    """Fail unless each version of each post is on the topic, in order, and under one id."""
    found = by_post()
    for post, last in made.versions.items():
        ids: dict[int, set[str]] = defaultdict(set)
        firsts: list[int] = []
        for record in found[post]:
            if record.version not in ids:
                firsts.append(record.version)
            ids[record.version].add(record.id)
        assert sorted(firsts) == [*range(1, last + 1)], (post, last, found[post])
        assert all(len(names) == 1 for names in ids.values()), (post, found[post])
        for partition in {record.partition for record in found[post]}:
            here = [version for version in firsts if _first_partition(found[post], version) == partition]
            assert here == sorted(here), (post, partition, found[post])


def _first_partition(records: list[Written], version: int) -> int:
    return next(record.partition for record in records if record.version == version)


def lab(*arguments: str) -> str:
    """Run a command of ./lab, which must succeed, and return its output."""
    ran = subprocess.run(
        [REPO / "lab", *arguments], capture_output=True, text=True, check=False, timeout=240 * slow()
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def view() -> Redis:
    """Return a client of the view."""
    host, port = ENDPOINTS["redis"].split(":")
    return Redis(host=host, port=int(port))


@contextmanager
def leases() -> Iterator[Any]:
    """Yield the collection with the relays' leases."""
    host, port = ENDPOINTS["mongodb"].split(":")
    with MongoClient[dict[str, Any]](host, int(port), directConnection=True) as client:
        yield client["posts"]["leases"]


def consistent() -> None:
    """Fail unless ./lab verify finds no difference."""
    said = eventually(lambda: s if "no difference" in (s := lab("verify")) else "", within=60, what="verify")
    assert "were not compared" not in said, said


def without_leader() -> None:
    """Bring the projector into a state that a quick restart leaves: in a group that has no leader.

    Another process joins under its name, and the projector then does the same. So the broker takes both for
    processes that have returned, and goes on with the leader that it had before them.
    """
    with closing(group_consumer(ENDPOINTS["kafka"], GROUP, "feed-projector")) as other:
        other.subscribe([POSTS_TOPIC])
        eventually(
            lambda: other.poll(timeout_ms=300) or other.assignment(), within=15, what="another projector"
        )
    until_healthy()


def one_partition_again() -> None:
    """Bring the system back to one partition: Kafka takes none away, so the topic is deleted and made again.

    The workers come back while the broker still has their group. It then gives the projector the assignment
    of the old topic, and the projector must notice that.
    """
    with ExitStack() as stack:
        for unit in ("posts-relay", "feed-projector"):
            stack.enter_context(stopped(unit))
        broker = stack.enter_context(closing(admin(ENDPOINTS["kafka"])))
        broker.delete_topics([POSTS_TOPIC])
        eventually(lambda: not _exists(), within=15, what="the topic to be deleted")
        with leases() as collection:
            collection.delete_many({})
    assert "set up again" in lab("up")
    assert count_partitions(ENDPOINTS["kafka"]) == 1
    # Without any record, verify would expect all posts on the new topic. A rebuild stores where it begins.
    first = Person()
    first.post("after the topic was made again")
    eventually(first.feed, within=60, what="the first post of the new topic in the feed")
    lab("rebuild")
    consistent()


def _exists() -> bool:
    try:
        return count_partitions(ENDPOINTS["kafka"]) > 0
    except UnknownTopicOrPartitionError:
        return False


def has_second(unit: str) -> bool:
    """Return whether the second instance of a worker runs."""
    return backend.pid_of(f"{unit}-2") is not None
