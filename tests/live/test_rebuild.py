"""The rebuild of the view: under load, after records were deleted, and when something fails."""

import threading
from collections.abc import Iterator

import pytest
from feed_tools import run, stats, view_redis, writer
from kafka import TopicPartition
from redis import Redis
from support import ENDPOINTS, backend, client, eventually

from civildiy.chassis.clients.kafka import admin as admin_client
from civildiy.contracts.posts.envelope import POSTS_TOPIC
from civildiy.contracts.posts.topic_reader import Topic
from civildiy.feed import keys
from civildiy.operations.rebuild import Rebuild
from civildiy.posts.snapshot import PostState


@pytest.mark.thorough
def test_rebuild_under_load() -> None:
    """Readers see every post that they have seen before, and what is written meanwhile is there."""
    person = writer(20)
    ended = threading.Event()
    problems: list[str] = []
    written: list[str] = []

    def write() -> None:
        while not ended.is_set():
            written.append(person.post("meanwhile")["id"])

    def read() -> None:
        most = 20
        with client(headers={"Authorization": f"Bearer {person.token}"}) as http:
            while not ended.is_set():
                answer = http.get("/api/activity-stream/user", params={"limit": 1})
                total = answer.json()["total"] if answer.status_code == 200 else -1
                if total < min(most, keys.USER_MAX):
                    problems.append(f"{answer.status_code}, {total} after {most}")
                most = max(most, total)

    threads = [threading.Thread(target=work) for work in (write, read)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            assert run("feed-rebuild")["switched"]
        assert run("feed-verify")["consistent"]
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert not problems, problems[:5]
    wanted = list(reversed(written))[: keys.USER_MAX]
    eventually(
        lambda: [item["post_id"] for item in person.feed()][: len(wanted)] == wanted,
        within=10,
        what="all that was written meanwhile, in order",
    )


def test_rebuild_without_the_old_records() -> None:
    """Records were deleted from the topic, but MongoDB has all posts."""
    person = writer(5)
    before = person.feed()
    admin = admin_client(ENDPOINTS["kafka"])
    try:
        partition = TopicPartition(POSTS_TOPIC, 0)
        end = stats()["next_offset"]
        admin.delete_records({partition: end})
    finally:
        admin.close()
    assert run("feed-rebuild")["switched"]
    assert person.feed() == before
    post = person.post("after")
    eventually(lambda: person.feed()[0]["post_id"] == post["id"], within=10, what="the next post")


def test_rebuild_outlives_a_killed_one_and_a_restart_of_redis(redis: Redis) -> None:
    person = writer(3)
    before = person.feed()
    redis.set(keys.REBUILD, "one that was killed", ex=2)
    with view_redis(keys.REBUILD_DATABASE) as beside:
        beside.lpush(keys.GLOBAL, b"half a view")
    assert run("feed-rebuild")["switched"]
    assert person.feed() == before
    backend.restart("redis")

    def same() -> bool:
        answer = person.http.get("/api/activity-stream/user", params={"limit": 100})
        return answer.status_code == 200 and answer.json()["items"] == before

    eventually(same, within=20, what="the rebuilt view, read from Redis' log")
    post = person.post("after")
    eventually(lambda: person.feed()[0]["post_id"] == post["id"], within=20, what="the next post")


def test_an_emptied_redis_is_filled_again_while_the_projector_runs(redis: Redis) -> None:
    person = writer(3)
    before = person.feed()
    redis.flushall()
    eventually(lambda: person.feed() == before, within=20, what="what was there, from the topic")
    run("feed-rebuild")  # events that the topic no longer has


def test_a_full_redis_is_waited_for(redis: Redis) -> None:
    person = writer(2)
    before = person.feed()
    limit = str(redis.config_get("maxmemory")["maxmemory"])
    redis.config_set("maxmemory", 1)
    try:
        post = person.post("waits")
        eventually(lambda: stats()["lag_events"] == 1, within=10, what="an event that waits")
        assert person.feed() == before
    finally:
        redis.config_set("maxmemory", limit)
    eventually(lambda: person.feed()[0]["post_id"] == post["id"], within=20, what="the post")
    assert run("feed-verify")["consistent"]


def test_a_rebuild_that_fails_leaves_nothing(redis: Redis) -> None:
    def posts() -> Iterator[PostState]:
        with view_redis(keys.REBUILD_DATABASE) as beside:
            beside.lpush(keys.GLOBAL, b"half a view")
        raise ZeroDivisionError
        yield

    with view_redis(keys.REBUILD_DATABASE) as beside, Topic(ENDPOINTS["kafka"]) as topic:
        rebuild = Rebuild(redis, beside, topic)
        with pytest.raises(ZeroDivisionError):
            rebuild.run(posts())
        Rebuild(redis, beside, topic).leave()
        assert redis.exists(keys.REBUILD), "somebody else's lock"
        assert beside.dbsize()
        rebuild.leave()
        assert not redis.exists(keys.REBUILD)
        assert not beside.dbsize()
