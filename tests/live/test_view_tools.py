"""verify, rebuild, redrive and lag, on the running system, with faults that are really there."""

import json
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient
from redis import Redis
from support import ENDPOINTS, Person, backend, client, eventually, home

from civildiy.events.envelope import POSTS_TOPIC
from civildiy.feed import keys
from lab import overrides, view
from lab.course.exercise import LABS
from lab.course.running import WORK, wait_until_loaded
from lab.home import PLATFORM


def view_redis(database: int = 0) -> Redis:
    host, _, port = ENDPOINTS["redis"].rpartition(":")
    return Redis(host=host, port=int(port), db=database)


@pytest.fixture
def redis() -> Iterator[Redis]:
    with view_redis() as made:
        yield made


def run(tool: str, *arguments: str, code: int | None = 0) -> dict[str, Any]:
    ran = view.run_tool(backend, tool, arguments)
    assert code is None or ran.code == code, (ran.code, ran.answer, ran.said)
    return ran.answer


def stats() -> dict[str, Any]:
    with client() as http:
        found: dict[str, Any] = http.get("/api/activity-stream/stats").json()
    return found


def findings(code: int | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run("feed-verify", code=code)["findings"]
    return found


def writer(count: int) -> Person:
    person = Person()
    for number in range(count):
        person.post(f"post {number}")
    eventually(lambda: len(person.feed()) == count, within=10, what="the posts in the feed")
    return person


def test_verify_finds_what_is_wrong_and_rebuild_mends_it(redis: Redis) -> None:
    person = writer(6)
    run("feed-rebuild")
    assert run("feed-verify")["consistent"]
    mine = keys.of_user(person.id)
    newest, second, third, *_, oldest = (item["post_id"] for item in person.feed())
    entries: Any = redis.lrange(mine, 0, -1)
    before = {key: redis.lrange(key, 0, -1) for key in (keys.GLOBAL, mine)}
    redis.lrem(keys.GLOBAL, 1, entries[0])
    redis.lset(mine, 1, entries[1].replace(b'"title":"post 4"', b'"title":"other"'))
    redis.lrem(mine, 1, entries[-1])
    redis.linsert(mine, "before", entries[0], entries[-1])
    ghost = entries[2].replace(third.encode(), b"f" * 24)
    redis.linsert(mine, "after", entries[2], ghost)
    redis.hset(keys.of_post(third), "version", 7)
    found = {(one["kind"], one["post_id"], one["place"]) for one in findings(code=1)}
    assert found == {
        ("missing", newest, "everybody's list"),
        ("stale", second, mine),
        ("misplaced", oldest, mine),
        ("surplus", "f" * 24, mine),
        ("stale", third, keys.of_post(third)),
    }
    run("feed-rebuild")
    assert run("feed-verify")["consistent"]
    assert {key: redis.lrange(key, 0, -1) for key in before} == before


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
    """The topic has forgotten, MongoDB has not."""
    person = writer(5)
    before = person.feed()
    admin = KafkaAdminClient(bootstrap_servers=ENDPOINTS["kafka"])
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
    with view_redis(keys.BESIDE) as beside:
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


def test_verify_takes_lag_for_lag() -> None:
    run("feed-rebuild")
    backend.stop_unit("feed-projector")
    try:
        post = Person().post("waits")
        eventually(lambda: stats()["lag_events"] >= 1, within=10, what="the event on the topic")
        ran = view.run_tool(backend, "feed-verify", ["--patience=0.5"])
        assert (ran.code, ran.answer["findings"]) == (0, []), post
        assert ran.answer["behind"] >= 1
        assert ran.answer["not_judged"] >= 1
    finally:
        backend.start_unit("feed-projector")
    eventually(lambda: stats()["lag_events"] == 0, within=20, what="the projector to catch up")


def test_redrive_after_the_fix() -> None:
    """A projector that refuses updates buries them; the mended one takes them when they are redriven."""

    def mine(letters: list[dict[str, Any]]) -> bool:
        """Whether the one that this test makes is there, once; others leave poison of their own."""
        return [one["reason"] for one in letters].count("nobody expected an update") == 1

    folder = LABS / WORK
    folder.mkdir(exist_ok=True)
    broken = folder / "envelope.py"
    text = (PLATFORM / "civildiy/events/envelope.py").read_text()
    head = '    version = document.get("schemaversion")\n'
    assert head in text
    fault = '    if kind == "post.updated":\n        raise PoisonEvent("nobody expected an update")\n'
    broken.write_text(text.replace(head, fault + head))
    person = Person()
    post = person.post("first")
    unit = "feed-projector"
    eventually(lambda: person.feed(), within=10, what="the post")
    run("feed-redrive", code=None)  # what others left
    try:
        code = {"LAB_CODE": f"civildiy.events.envelope={broken.relative_to(LABS)}"}
        backend.override(unit, overrides.read(home, unit) | code)
        wait_until_loaded(home, backend, unit)
        dead = stats()["counters"]["dead"]
        person.http.put(f"/api/posts/{post['id']}", json={"title": "second"})
        eventually(lambda: stats()["counters"]["dead"] == dead + 1, within=20, what="the dead letter")
        assert mine(run("feed-redrive", code=1)["dead_again"])
    finally:
        backend.override(unit, {})
        wait_until_loaded(home, backend, unit)
        broken.unlink()
    assert mine(run("feed-redrive", "--dry-run", code=None)["waiting"])
    assert run("feed-redrive", code=None)["applied"]
    assert person.feed()[0]["title"] == "second"
    assert not mine(run("feed-redrive", "--dry-run", code=None)["waiting"])


def test_commands_speak_to_people() -> None:
    def lab(*arguments: str, code: int = 0) -> str:
        ran = subprocess.run(
            ["./lab", *arguments], cwd=PLATFORM.parent, capture_output=True, text=True, check=False
        )
        assert ran.returncode == code, ran.stdout + ran.stderr
        return ran.stdout

    assert "The feed is made anew" in lab("rebuild")
    assert "no difference" in lab("verify")
    assert json.loads(lab("verify", "--json"))["consistent"]
    assert "behind: 0 events" in lab("lag")
    assert json.loads(lab("lag", "--json"))["consumer_state"] == "running"
    assert "dead letters wait" in lab("redrive", "--dry-run")
    assert "MongoDB ms" in lab("costs", "100", "300")
