"""The commands, as a person types them."""

import json
import subprocess

import pytest
from support import Person, client, eventually, pid_of

from lab.backend import UNITS
from lab.home import REPO
from lab.readiness import slow


def lab(*arguments: str) -> str:
    ran = subprocess.run(
        [REPO / "lab", *arguments], capture_output=True, text=True, check=False, timeout=120 * slow()
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_second_up_does_nothing() -> None:
    before = [pid_of(unit) for unit in UNITS]
    assert "up already" in lab("up")
    assert [pid_of(unit) for unit in UNITS] == before


def test_endpoints() -> None:
    keys = "gateway traefik consul kafka redis mongodb postgresql auth profile posts feed"
    assert list(json.loads(lab("endpoints", "--json"))) == keys.split()


def test_status() -> None:
    units = json.loads(lab("status", "--json"))
    assert [unit["name"] for unit in units] == list(UNITS)
    assert all(unit["state"] == "running" and unit["pid"] and unit["memory"] > 1e6 for unit in units)
    table = lab("status")
    assert table.count("passing") == 4
    assert max(map(len, table.splitlines())) <= 80


def test_restart() -> None:
    before = pid_of("feed-projector")
    assert "restarted" in lab("restart", "feed-projector")
    assert pid_of("feed-projector") != before


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
