"""The API, as a client of the gateway sees it."""

import secrets
from typing import Any

import httpx
import pytest
from support import ENDPOINTS, Person, events_of, eventually

from lab.topology import SERVICES

PROBLEM = "application/problem+json"
HARD_TEXT = 'Grüße 😀 \'; DROP TABLE users;-- {"$gt": ""} \u202e'


def is_problem(answer: httpx.Response, status: int, word: str = "") -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    assert answer.json()["status"] == status
    assert word in answer.text


@pytest.mark.parametrize("part", ["auth", "profile", "posts", "activity-stream"])
def test_health_through_the_gateway(anybody: httpx.Client, part: str) -> None:
    assert anybody.get(f"/api/{part}/health").status_code == 200


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("path", ["/health", "/ready", "/docs", "/metrics", "/openapi.json"])
def test_operations_on_the_own_address(anybody: httpx.Client, service: str, path: str) -> None:
    assert anybody.get(ENDPOINTS[service] + path).status_code == 200


def test_taken_email_and_username(anybody: httpx.Client, ada: Person) -> None:
    new = {"email": ada.email.upper(), "username": "x" + ada.name, "password": "long enough"}
    is_problem(anybody.post("/api/auth/register", json=new), 409, "email")
    new = {"email": "x" + ada.email, "username": ada.name.upper(), "password": "long enough"}
    is_problem(anybody.post("/api/auth/register", json=new), 409, "username")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": "nobody"}, "email"),
        ({"username": "a b"}, "username"),
        ({"password": "short"}, "password"),
        ({"password": "with\x00nul"}, "password"),
        ({"admin": True}, "admin"),
        ({"username": 7}, "username"),
    ],
)
def test_bad_registrations(anybody: httpx.Client, change: dict[str, Any], field: str) -> None:
    new = {"email": "new@example.org", "username": "newcomer", "password": "long enough"}
    is_problem(anybody.post("/api/auth/register", json=new | change), 422, field)


def test_wrong_password_and_unknown_user_are_the_same(anybody: httpx.Client, ada: Person) -> None:
    wrong = anybody.post("/api/auth/login", json={"email": ada.email, "password": "wrong"})
    unknown = anybody.post("/api/auth/login", json={"email": "no@example.org", "password": "wrong"})
    is_problem(wrong, 401)
    assert (wrong.status_code, wrong.content) == (unknown.status_code, unknown.content)


def test_profile_from_first_to_last() -> None:
    person = Person()
    is_problem(person.http.get("/api/profile"), 404)
    is_problem(person.http.put("/api/profile", json={"city": "Köln"}), 404)
    fields = {"first_name": HARD_TEXT, "dob": "1990-12-31", "preferences": {"a": [1, {"b": None}]}}
    made = person.http.post("/api/profile", json=fields)
    assert made.status_code == 201, made.text
    assert made.json()["user_id"] == person.id
    assert made.json() | fields == made.json()
    is_problem(person.http.post("/api/profile", json={}), 409)
    changed = person.http.put("/api/profile", json={"city": "Köln"}).json()
    assert changed | fields | {"city": "Köln"} == changed
    assert person.http.get("/api/profile").json() == changed
    json_type = {"Content-Type": "application/json"}
    for no_date in (
        5,
        "5",
        "631152000",
        631152000.0,
        "1990-12-31T00:00:00",
        " 1990-12-31",
        "1990-1-1",
        "1990-02-30",
    ):
        is_problem(person.http.put("/api/profile", json={"dob": no_date}), 422, "dob")
    is_problem(person.http.put("/api/profile", json={"bio": "a\x00b"}), 422, "bio")
    is_problem(person.http.put("/api/profile", content=b'{"bio": "\\ud800"}', headers=json_type), 422, "bio")
    assert person.http.delete("/api/profile").json()["deleted"] is True
    is_problem(person.http.get("/api/profile"), 404)


def test_post_from_first_to_last(ada: Person, bob: Person, anybody: httpx.Client) -> None:
    post = ada.post(HARD_TEXT, HARD_TEXT, tags=["grün"])
    path = f"/api/posts/{post['id']}"
    assert (post["user_id"], post["title"], post["tags"]) == (ada.id, HARD_TEXT, ["grün"])
    assert anybody.get(path).json() == post
    mine = anybody.get("/api/posts", params={"user_id": ada.id}).json()
    assert post["id"] in [item["id"] for item in mine["items"]]
    eventually(lambda: ada.feed()[:1], within=10, what="the post in the feed")
    is_problem(bob.http.put(path, json={"title": "mine now"}), 403)
    is_problem(bob.http.delete(path), 403)
    is_problem(anybody.put(path, json={"title": "x"}), 401)
    changed = ada.http.put(path, json={"title": "new"}).json()
    assert (changed["title"], changed["content"]) == ("new", HARD_TEXT)

    def in_feed() -> list[dict[str, Any]]:
        return [item for item in ada.feed() if item["post_id"] == post["id"]]

    eventually(lambda: [i["event_type"] for i in in_feed()] == ["post.updated"], within=10, what="the update")
    assert ada.http.delete(path).json()["deleted"] is True
    is_problem(anybody.get(path), 404)
    eventually(lambda: not in_feed(), within=10, what="the entry to go")
    events = events_of(post["id"])
    assert [e["type"] for e in events] == ["post.created", "post.updated", "post.deleted"]
    assert [e["postversion"] for e in events] == [1, 2, 3]
    assert len({e["id"] for e in events}) == 3


def test_expired_post_leaves_the_feed(ada: Person) -> None:
    from datetime import UTC, datetime, timedelta

    post = ada.post(expires_at=(datetime.now(UTC) + timedelta(seconds=3)).isoformat())
    eventually(lambda: [i for i in ada.feed() if i["post_id"] == post["id"]], within=3, what="the post")
    eventually(
        lambda: not [i for i in ada.feed() if i["post_id"] == post["id"]], within=20, what="its expiry"
    )
    assert events_of(post["id"])[-1]["type"] == "post.expired"


def test_public_feed_and_statistics(anybody: httpx.Client, ada: Person) -> None:
    post = ada.post("for everybody")
    eventually(
        lambda: [i["post_id"] for i in anybody.get("/api/activity-stream?limit=1").json()["items"]]
        == [post["id"]],
        within=10, what="the post on top",
    )  # fmt: skip
    page = anybody.get("/api/activity-stream", params={"limit": 5, "skip": 1}).json()
    assert (page["limit"], page["skip"]) == (5, 1)
    times = [item["timestamp"] for item in page["items"]]
    assert times == sorted(times, reverse=True)
    stats = anybody.get("/api/activity-stream/stats").json()
    assert stats["consumer_state"] == "running"
    assert stats["global_activity_count"] >= 1
    assert stats["lag_events"] >= 0


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "skip=-1", "colour=red"])
@pytest.mark.parametrize("path", ["/api/posts", "/api/activity-stream"])
def test_bad_pages(anybody: httpx.Client, path: str, query: str) -> None:
    is_problem(anybody.get(f"{path}?{query}"), 422, query.partition("=")[0])


@pytest.mark.parametrize("post_id", ["x", "0" * 25, "%00", "Z" * 24])
def test_malformed_post_id(anybody: httpx.Client, post_id: str) -> None:
    answer = anybody.get(f"/api/posts/{post_id}")
    assert 400 <= answer.status_code < 500


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"title": NaN}', b"[" * 5000]
)
def test_garbage_bodies(ada: Person, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    for method, path in (("POST", "/api/posts"), ("POST", "/api/auth/login"), ("PUT", "/api/profile")):
        answer = ada.http.request(method, path, content=body, headers=headers)
        assert 400 <= answer.status_code < 500, (path, answer.text)
        assert answer.headers["content-type"] == PROBLEM


def test_body_over_one_mebibyte(ada: Person) -> None:
    big = {"title": "t", "content": "x" * (1024 * 1024)}
    for path in ("/api/posts", "/api/auth/register", "/api/profile"):
        is_problem(ada.http.post(path, json=big), 413)


def test_body_of_a_thousand_mistakes(anybody: httpx.Client) -> None:
    answer = anybody.post("/api/auth/register", json={f"x{n}": 0 for n in range(1000)})
    is_problem(answer, 422, "email")
    assert len(answer.json()["errors"]) == 20


def test_words_that_utf_8_cannot_write(anybody: httpx.Client) -> None:
    json_type = {"Content-Type": "application/json"}
    is_problem(anybody.post("/api/auth/login", content=b'{"\\ud800": 1}', headers=json_type), 422)


def test_login_with_the_words_of_the_registration(anybody: httpx.Client) -> None:
    name = f"p{secrets.token_hex(6)}"
    person = {"email": f" {name}@B\u00fccher.example ", "username": name, "password": "long enough"}
    assert anybody.post("/api/auth/register", json=person).status_code == 201
    del person["username"]
    assert anybody.post("/api/auth/login", json=person).status_code == 200


def test_times_are_text_and_stay_what_they_are(ada: Person) -> None:
    for time in (4102444800, "4102444800", 4102444800.5):
        new = {"title": "t", "content": "c", "expires_at": time}
        is_problem(ada.http.post("/api/posts", json=new), 422, "expires_at")
    post = ada.post(expires_at="2099-01-01T00:00:00.123456Z")
    assert ada.http.get(f"/api/posts/{post['id']}").json()["expires_at"] == post["expires_at"]


def test_nothing_here(anybody: httpx.Client) -> None:
    is_problem(anybody.get("/nothing/here"), 404, "/nothing/here")
    is_problem(anybody.get("/api/profilex"), 404)
    is_problem(anybody.get("/api/posts/"), 404)


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59-00:01", "0001-01-01T00:00:00+00:01"])
def test_times_that_no_calendar_holds(ada: Person, time: str) -> None:
    is_problem(ada.http.post("/api/posts", json={"title": "t", "content": "c", "expires_at": time}), 422)
