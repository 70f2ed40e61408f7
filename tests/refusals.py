"""What a refused request gets: the shape that docs/http.md promises."""

import httpx

PROBLEM = "application/problem+json"
JSON = {"Content-Type": "application/json"}
POST = {"title": "t", "content": "c"}


def refused(answer: httpx.Response, status: int, word: str = "") -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    assert answer.json()["status"] == status
    assert word in answer.text
    assert len(answer.content) < 2000, "the answer grows with the request"
