"""A person's stream: written, waited for, and read."""

from typing import Any

from grading.events import redis
from grading.outcome import require
from grading.people import Person, said
from grading.system import eventually

from civildiy.feed import keys

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
