"""Create users of the system, each with an account and a token."""

import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from lab.errors import LabError
from lab.notebook.stack import client


class Person:
    """A user with a new account; `http` is a client that sends the user's token."""

    def __init__(self, name: str) -> None:
        self.name = f"{name}-{secrets.token_hex(4)}"
        self.email, self.password = f"{self.name}@example.org", secrets.token_hex(8)
        self.http = client()
        new = {"email": self.email, "username": self.name, "password": self.password}
        self.id = int(good(self.http.post("/api/auth/register", json=new), 201)["id"])
        self.token = str(good(self._log_in(), 200)["access_token"])
        self.http.headers["Authorization"] = f"Bearer {self.token}"

    def _log_in(self) -> httpx.Response:
        login = {"email": self.email, "password": self.password}
        answer = self.http.post("/api/auth/login", json=login)
        while answer.status_code == 429:  # the gateway says when to come back
            time.sleep(float(answer.headers["Retry-After"]))
            answer = self.http.post("/api/auth/login", json=login)
        return answer

    def asks(self, method: str, path: str, **fields: Any) -> str:
        """Send these fields as JSON; return the status and its text."""
        answer = self.http.request(method, path, json=fields or None)
        return f"{answer.status_code} {answer.reason_phrase}"

    def write(
        self, title: str, content: str = "From a notebook.", *, expires_in: float | None = None, **more: Any
    ) -> dict[str, Any]:
        """Write a post, which must be accepted, and return it; it expires in `expires_in` seconds."""
        if expires_in is not None:
            more["expires_at"] = (datetime.now(UTC) + timedelta(seconds=expires_in)).isoformat()
        return good(self.http.post("/api/posts", json={"title": title, "content": content, **more}), 201)

    def reads(self, path: str = "/api/activity-stream/user", **query: Any) -> dict[str, Any]:
        """Return the answer to a GET by this user."""
        return good(self.http.get(path, params=query), 200)

    def posts(self) -> list[dict[str, Any]]:
        """Return the user's posts as the posts service lists them, newest first; up to 100."""
        items: list[dict[str, Any]] = self.reads("/api/posts", user_id=self.id, limit=100)["items"]
        return items

    def titles(self) -> list[str]:
        """Return the titles in the user's own stream, newest first."""
        return [item["title"] for item in self.reads(limit=100)["items"]]


def somebody(name: str = "ada") -> Person:
    """Create a user; the name gets an ending that no other account has."""
    return Person(name)


def good(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Return the answer as JSON. Raises LabError when it has another status."""
    if answer.status_code != status:
        raise LabError(
            f"{answer.request.method} {answer.request.url.path} answered {answer.status_code} instead of"
            f" {status}: {answer.text[:200]}. In a terminal: ./lab status"
        )
    found: dict[str, Any] = answer.json()
    return found
