"""The feed's commands on the running system, with real faults in its view."""

import json
import subprocess
from typing import Any

import pytest
from feed_tools import findings, run, stats, writer
from redis import Redis
from support import Person, backend, eventually

from civildiy.feed import keys
from lab.home import PLATFORM
from lab.probes import tools


@pytest.mark.thorough
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
        ("missing", newest, "the global feed"),
        ("stale", second, mine),
        ("misplaced", oldest, mine),
        ("surplus", "f" * 24, mine),
        ("stale", third, keys.of_post(third)),
    }
    run("feed-rebuild")
    assert run("feed-verify")["consistent"]
    assert {key: redis.lrange(key, 0, -1) for key in before} == before


def test_verify_takes_lag_for_lag() -> None:
    run("feed-rebuild")
    backend.stop_unit("feed-projector")
    try:
        post = Person().post("waits")
        eventually(lambda: stats()["lag_events"] >= 1, within=10, what="the event on the topic")
        ran = tools.run_tool(backend, "feed-verify", ["--patience=0.5"])
        assert (ran.code, ran.answer["findings"]) == (0, []), post
        assert ran.answer["behind"] >= 1
        assert ran.answer["not_judged"] >= 1
    finally:
        backend.start_unit("feed-projector")
    eventually(lambda: stats()["lag_events"] == 0, within=20, what="the projector to catch up")


@pytest.mark.thorough
def test_commands_speak_to_people() -> None:
    def lab(*arguments: str, code: int = 0) -> str:
        ran = subprocess.run(
            ["./lab", *arguments], cwd=PLATFORM.parent, capture_output=True, text=True, check=False
        )
        assert ran.returncode == code, ran.stdout + ran.stderr
        return ran.stdout

    assert "The feed is rebuilt" in lab("rebuild")
    assert "no difference" in lab("verify")
    assert json.loads(lab("verify", "--json"))["consistent"]
    assert "behind: 0 events" in lab("lag")
    assert json.loads(lab("lag", "--json"))["consumer_state"] == "running"
    assert "dead letters are waiting" in lab("redrive", "--dry-run")
    assert "MongoDB ms" in lab("costs", "100", "300")
