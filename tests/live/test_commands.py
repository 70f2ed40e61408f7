"""The commands, as a user types them."""

import json
import os
import subprocess
from typing import Any

import pytest
from support import Person, backend, client, eventually, pid_of

from lab import options
from lab.deadlines import slow
from lab.home import REPO
from lab.topology import UNITS


def lab(*arguments: str) -> str:
    ran = subprocess.run(
        [REPO / "lab", *arguments], capture_output=True, text=True, check=False, timeout=120 * slow()
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_second_up_does_nothing() -> None:
    before = [pid_of(unit) for unit in UNITS]
    assert "already running" in lab("up")
    assert [pid_of(unit) for unit in UNITS] == before


@pytest.mark.fault
@pytest.mark.thorough
def test_up_starts_what_was_stopped() -> None:
    backend.stop_unit("redis")
    said = refused("demo")
    assert "does not answer" in said or "503" in said
    assert "The system is up" in lab("up")
    assert "already running" in lab("up")


def refused(*arguments: str, **environment: str) -> str:
    """Return the error message of a command that fails."""
    ran = subprocess.run(
        [REPO / "lab", *arguments], capture_output=True, text=True, check=False, timeout=120 * slow(),
        env={**os.environ, **environment},
    )  # fmt: skip
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "Traceback" not in ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def test_words_for_wrong_input() -> None:
    assert "LAB_SLOW=1,5 is not a number" in refused("up", LAB_SLOW="1,5")
    assert "/no/such/x.json: No such file" in refused("report", "--json", "/no/such/x.json")


def test_endpoints() -> None:
    keys = "gateway traefik consul postgresql mongodb redis kafka auth profile posts feed"
    added = options.servers(backend.options())
    assert list(json.loads(lab("endpoints", "--json"))) == [*keys.split(), *added]


def test_status() -> None:
    def units() -> list[dict[str, Any]]:
        return list(json.loads(lab("status", "--json")))

    def all_run() -> bool:
        return all(unit["state"] == "running" and unit["pid"] and unit["memory"] > 1e6 for unit in units())

    assert [unit["name"] for unit in units()] == [*UNITS, *options.servers(backend.options())]
    # A healthy system does not wait for a worker, which the test before may have restarted.
    eventually(all_run, within=10, what="all units running")
    table = lab("status")
    assert table.count("passing") == 4
    assert max(map(len, table.splitlines())) <= 80


def test_restart() -> None:
    before = pid_of("feed-projector")
    assert "restarted" in lab("restart", "feed-projector")
    assert pid_of("feed-projector") != before


def test_reset_asks_first() -> None:
    before = pid_of("auth")
    for said_no in ("n\n", ""):
        ran = subprocess.run(
            [REPO / "lab", "reset"], input=said_no, capture_output=True, text=True, check=False, timeout=60
        )
        assert ran.returncode == 1
        assert "Delete all data" in ran.stdout
        assert "Traceback" not in ran.stdout + ran.stderr
    assert pid_of("auth") == before


def test_doctor_and_demo_and_logs() -> None:
    assert "Next: ./lab up" in lab("doctor")
    story = lab("demo")
    assert "post.created" in story
    assert story.count("\n") > 20
    assert "civildiy" in lab("logs", "posts")


@pytest.mark.fault
@pytest.mark.campaign
def test_data_survives_down_and_up() -> None:
    person = Person()
    person.http.post("/api/profile", json={"city": "Köln"})
    post = person.post("stays")
    eventually(lambda: person.feed(), within=10, what="the post in the feed")
    lab("down")
    lab("up")
    with client(headers={"Authorization": f"Bearer {person.token}"}) as http:
        assert http.get("/api/profile").json()["city"] == "Köln"
        assert http.get(f"/api/posts/{post['id']}").json() == post
        items = http.get("/api/activity-stream/user").json()["items"]
    assert [item["post_id"] for item in items] == [post["id"]]
