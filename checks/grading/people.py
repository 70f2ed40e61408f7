"""Users of the system; each check registers its own."""

import secrets
import weakref
from random import Random
from typing import Any

import httpx

from grading import checked_http
from grading.answers import Odd, source_of
from grading.stack import ENDPOINTS
from lab.deadlines import slow

RUN = secrets.token_hex(3)
"""A part of all names in this run, so that a repeated seed does not register the same names again."""


class Person:
    """A user with an account and a token; made from the run's seed."""

    def __init__(self, random: Random) -> None:
        self.http = checked_http.client(base_url=ENDPOINTS["gateway"], timeout=10 * slow())
        weakref.finalize(self, self.http.close)
        self.password = f"{random.getrandbits(64):016x}"
        self.name = f"p{random.getrandbits(48):012x}{RUN}"
        self.email = f"{self.name}@example.org"
        new = {"email": self.email, "username": self.name, "password": self.password}
        answer = self.http.post("/api/auth/register", json=new)
        self.id = int(self._good(answer, 201)["id"])
        login = self.http.post("/api/auth/login", json={"email": self.email, "password": self.password})
        self.token = str(self._good(login, 200)["access_token"])
        self.http.headers["Authorization"] = f"Bearer {self.token}"

    def _good(self, answer: httpx.Response, expected: int) -> dict[str, Any]:
        if answer.status_code != expected:
            raise Odd(source_of(answer), f"{expected}, because each check needs a user of its own")
        document: dict[str, Any] = answer.json()
        return document


def said(answer: httpx.Response) -> str:
    """Describe an answer in one line: status, redirect, and the beginning of its body."""
    where = f"(Location: {answer.headers['location']}) " if answer.is_redirect else ""
    return f"{answer.status_code} {answer.reason_phrase} {where}{answer.text[:300]}".strip()
