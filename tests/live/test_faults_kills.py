"""Killed processes: nothing that was accepted is lost, and the system recovers without help."""

import time
from threading import Event, Thread
from typing import Any

import httpx
import pytest
from support import Person, client, eventually, kill

POSTS = 200


def write_posts(count: int, people: list[Person], during: Any, at: int) -> dict[str, int]:
    """Write until `count` posts are answered 201; calls `during` after `at` of them."""
    accepted: dict[str, int] = {}
    refused = 0
    deadline = time.monotonic() + 120
    while len(accepted) < count:
        assert time.monotonic() < deadline, f"only {len(accepted)} posts accepted, {refused} refused"
        person = people[len(accepted) % len(people)]
        number = len(accepted)
        if number == at and during:
            during()
            during = None
        try:
            answer = person.http.post("/api/posts", json={"title": f"{number}", "content": "c"})
        except httpx.HTTPError:
            refused += 1
            time.sleep(0.1)
            continue
        if answer.status_code == 201:
            accepted[answer.json()["id"]] = person.id
        else:
            assert answer.status_code in (429, 502, 503, 504), answer.text
            refused += 1
            time.sleep(0.1)
    return accepted


@pytest.mark.fault
@pytest.mark.parametrize(
    "unit",
    # ./lab test has ten minutes, so only these run in it; the others run in the campaign.
    ["posts", "feed-projector", "kafka"]
    + [pytest.param(unit, marks=pytest.mark.campaign) for unit in ("posts-relay", "redis", "mongodb")],
)
def test_kill_while_posts_are_written(unit: str) -> None:
    people = [Person() for _ in range(4)]  # 50 posts each fit their own lists of 100
    accepted = write_posts(POSTS, people, lambda: kill(unit), POSTS // 3)

    def missing_or_doubled() -> list[str]:
        wrong = []
        for person in people:
            seen = [item["post_id"] for item in person.feed()]
            mine = [post for post, owner in accepted.items() if owner == person.id]
            wrong += [post for post in mine if seen.count(post) != 1]
        return wrong

    eventually(lambda: missing_or_doubled() == [], within=60, what="every post in the feed exactly once")
    with client() as http:
        pages = [
            http.get("/api/activity-stream", params={"limit": 100, "skip": skip}).json()["items"]
            for skip in (0, 100, 200)
        ]
    everybody = [item["post_id"] for page in pages for item in page]
    assert all(everybody.count(post) == 1 for post in accepted)


@pytest.mark.fault
@pytest.mark.campaign
def test_relay_and_projector_killed_again_and_again() -> None:
    people = [Person() for _ in range(4)]
    over = Event()
    kills: list[str] = []

    def killer() -> None:
        while not over.wait(0.7):
            for unit in ("posts-relay", "feed-projector"):
                try:
                    kill(unit)
                except AssertionError:
                    continue  # it is still starting
                kills.append(unit)

    thread = Thread(target=killer)
    thread.start()
    try:
        accepted = write_posts(POSTS, people, None, 0)
        written = len(kills)
        # The kills continue while the backlog is processed.
        eventually(lambda: len(kills) >= written + 6, within=60, what="six more kills")
    finally:
        over.set()
        thread.join()
    for person in people:
        mine = [post for post, owner in accepted.items() if owner == person.id]
        eventually(
            lambda p=person, m=mine: [i["post_id"] for i in p.feed()] == m[::-1],  # type: ignore[misc]
            within=60, what="all posts, once, newest first",
        )  # fmt: skip
