"""Which bodies the services accept, and what they say about all others; tested through the gateway."""

import json

import pytest
from refusals import JSON, POST, refused
from support import Person

LONG = 900_000


@pytest.fixture(scope="module")
def path(ada: Person) -> str:
    """Provide a post of Ada."""
    return f"/api/posts/{ada.post()['id']}"


BODIES: dict[str, tuple[dict[str, str], int]] = {
    "none": ({}, 415),
    "a form": ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    "text": ({"Content-Type": "text/plain"}, 415),
    "text that mentions JSON": ({"Content-Type": "text/application/json"}, 415),
    "half a type": ({"Content-Type": "json"}, 415),
    "a long type": ({"Content-Type": "a" * 3000}, 415),
    "gzip": (JSON | {"Content-Encoding": "gzip"}, 415),
    "an invented coding": (JSON | {"Content-Encoding": "x" * 3000}, 415),
    "upper case": ({"Content-Type": "Application/JSON"}, 201),
    "a character set": ({"Content-Type": "application/json; charset=UTF-8"}, 201),
    "blanks": ({"Content-Type": "application/json ;charset=utf-8"}, 201),
    "a kind of JSON": ({"Content-Type": "application/vnd.civildiy.v1+json"}, 201),
    "no coding": (JSON | {"Content-Encoding": "identity"}, 201),
}


@pytest.mark.parametrize("kind", BODIES)
def test_media_types(ada: Person, kind: str) -> None:
    headers, status = BODIES[kind]
    answer = ada.http.post("/api/posts", content=json.dumps(POST), headers=headers)
    if status == 201:
        assert answer.status_code == 201, answer.text
    else:
        refused(answer, 415, "content coding" if "Content-Encoding" in headers else "application/json")
        assert {"accept", "accept-encoding"} & set(answer.headers)


def test_media_types_everywhere(ada: Person, path: str) -> None:
    text = {"Content-Type": "text/plain"}
    for method, where in (
        ("POST", "/api/auth/login"), ("POST", "/api/auth/register"), ("POST", "/api/profile"),
        ("PUT", "/api/profile"), ("POST", "/api/posts"), ("PUT", path),
    ):  # fmt: skip
        refused(ada.http.request(method, where, content="{}", headers=text), 415, "application/json")
        refused(ada.http.request(method, where, headers=JSON), 422, "body")
        refused(ada.http.request(method, where), 422, "body")
        refused(ada.http.request(method, where, content=iter([b"{}"]), headers=text), 415)
    for _ in range(20):  # the unread rest of a body must not break the next request on this connection
        long = ada.http.post("/api/posts", content=b"x" * LONG, headers=text)
        refused(long, 415)


def test_a_body_in_parts_over_the_limit_is_413(ada: Person) -> None:
    for headers in (JSON, {"Content-Type": "text/plain"}):
        parts = (b"x" * 100_000 for _ in range(12))
        refused(ada.http.post("/api/posts", content=parts, headers=headers), 413, "1048576")


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ('{"title": "a", "title": "b", "content": "c"}', "title"),
        ('{"title": "a", "content": "c", "tags": [], "t\\u0061gs": []}', "tags"),
        ('{"title": "a", "content": NaN}', "NaN"),
        ('{"title": "a", "content": -Infinity}', "Infinity"),
        ('{"title": "a", "content": "\\ud800"}', "surrogate"),
        ('{"title": "a", "content": "\\u0000"}', "NUL"),
        ('{"title": "a", "content": "c", "' + "x" * LONG + '": 1}', "is unknown"),
        ('{"title": "a", "content": "c", "\\ud800": 1}', "body"),
    ],
    ids=["twice", "twice-escaped", "nan", "infinity", "surrogate", "nul", "long-name", "surrogate-name"],
)
def test_json_with_one_meaning(ada: Person, body: str, word: str) -> None:
    refused(ada.http.post("/api/posts", content=body, headers=JSON), 422, word)


@pytest.mark.parametrize(
    "body", ["[" * 100_000, '{"a":' * 50_000, "9" * 5000, '{"title":' + "[" * 900 + "]" * 900 + "}"]
)
def test_deep_json_is_no_500(ada: Person, body: str) -> None:
    for where in ("/api/posts", "/api/profile"):
        answer = ada.http.post(where, content=body, headers=JSON)
        assert 400 <= answer.status_code < 500, answer.text
        assert len(answer.content) < 2000


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b'{"title": "a", "content": "b",}', "line 1, column 31"),
        (b'{"title": "a"\n"content": 1}', "line 2"),
        (b" \n", "not valid JSON"), (b"{'title': 'a'}", "not valid JSON"), (b"{}{}", "line 1, column 3"),
        ('{"title": "é", "content": "b"}'.encode("latin-1"), "byte 11 is 0xe9"),
        ('{"title": "é", "content": "b"}'.encode("utf-16"), "not UTF-8"),
        (b'{"title": "\xed\xa0\x80", "content": "b"}', "not UTF-8"),
        (b'{"title": ' + b"9" * 5000 + b"}", "64 bits"), (b"[" * 9999, "100 levels"),
        (b'{"title": "a", "content": "b", "tags": ' + b"[" * 900 + b"]" * 900 + b"}", "100 levels"),
        (b"null", "must be a JSON object"), (b"[]", "must be a JSON object"), (b"1", "must be a JSON object"),
    ],
    ids=range(14),
)  # fmt: skip
def test_a_body_that_cannot_be_read_is_named(ada: Person, body: bytes, word: str) -> None:
    for where in ("/api/posts", "/api/profile", "/api/auth/login"):
        answer = ada.http.post(where, content=body, headers=JSON)
        refused(answer, 422, word)
        assert answer.json()["errors"][0]["field"] == "body"


def test_a_byte_order_mark_is_ignored(ada: Person) -> None:
    body = b"\xef\xbb\xbf" + json.dumps(POST).encode()
    assert ada.http.post("/api/posts", content=body, headers=JSON).status_code == 201
