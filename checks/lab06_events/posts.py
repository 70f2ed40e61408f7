"""Posts that the checks write and change."""

import secrets
from typing import Any

import httpx
from grading.outcome import require
from grading.people import Person, said

NEW = {"title": "t", "content": "c"}


def write(person: Person, **more: Any) -> str:
    """A new post's id."""
    try:
        answer = person.http.post("/api/posts", json={**NEW, **more})
        good, seen = answer.status_code == 201, said(answer)
    except httpx.HTTPError as error:
        good, seen = False, f"{type(error).__name__}: {error}"
    means = "A post that is valid is taken, whatever happens to its event."
    require(good, "POST /api/posts", expected="201", saw=seen, means=means)
    return str(answer.json()["id"])


def change(person: Person, post: str, **fields: Any) -> httpx.Response:
    return person.http.put(f"/api/posts/{post}", json=fields or {"title": secrets.token_hex(4)})
