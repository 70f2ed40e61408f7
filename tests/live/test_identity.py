"""No user can act for another one: forged identities, forged tokens, simultaneous registrations."""

import base64
import json
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from fastapi.routing import APIRoute
from support import ENDPOINTS, Person, client, eventually

from civildiy.auth import api as auth
from civildiy.chassis.identity.caller import current_user
from civildiy.feed import api as feed
from civildiy.posts import api as posts
from civildiy.profile import api as profile
from lab.probes import local_http
from lab.topology import SERVICES

GUARDED = {
    ("POST", "/api/profile"): "profile",
    ("GET", "/api/profile"): "profile",
    ("PUT", "/api/profile"): "profile",
    ("DELETE", "/api/profile"): "profile",
    ("POST", "/api/posts"): "posts",
    ("PUT", "/api/posts/{post_id}"): "posts",
    ("DELETE", "/api/posts/{post_id}"): "posts",
    ("GET", "/api/activity-stream/user"): "feed",
}
"""Every operation that acts for a user, and the service that has it."""
OTHER_401 = {("POST", "/api/auth/login"), ("GET", "/api/auth/validate")}
"""Operations that answer 401 because of their body, not because of the gateway's identity header."""

ID, PROOF = "X-User-ID", "X-Gateway-Secret"
FORGERIES: dict[str, list[tuple[str, str]]] = {
    "plain": [(ID, "{}")],
    "lower case": [(ID.lower(), "{}")],
    "doubled": [(ID, "{}"), (ID, "{}")],
    "doubled, each in its own case": [(ID, "{}"), (ID.upper(), "{}")],
    "underscores": [("X_User_ID", "{}")],
    "underscores, lower case": [("x_user_id", "{}")],
    "one underscore": [("X-USER_ID", "{}")],
    "two in one": [(ID, "{}, {}")],
    "with a guessed proof": [(ID, "{}"), (PROOF, "guess")],
    "with an empty proof, doubled": [(ID, "{}"), (PROOF, ""), (PROOF, ""), ("x_gateway_secret", "guess")],
    "named as what ends at the next hop": [(ID, "{}"), ("Connection", f"{ID}, {PROOF}")],
}
"""Headers that claim an identity; {} stands for that user's id."""


@pytest.fixture(params=FORGERIES)
def claim(request: pytest.FixtureRequest, bob: Person) -> list[tuple[str, str]]:
    """One way for a client to claim that it is Bob."""
    return [(name, value.replace("{}", str(bob.id))) for name, value in FORGERIES[request.param]]


@pytest.fixture(scope="module")
def bobs(bob: Person) -> dict[str, Any]:
    """Provide Bob's data, which no other user may change."""
    bob.http.post("/api/profile", json={"city": "Bremen"})
    post = bob.post("Bob's")
    eventually(bob.feed, within=10, what="Bob's post in his stream")
    return post


def of_bob(bob: Person) -> list[Any]:
    """Return everything that an operation could have changed."""
    pages = (bob.http.get("/api/profile"), bob.http.get("/api/posts", params={"user_id": bob.id}))
    return [page.json() for page in pages]


def operations() -> set[tuple[str, str]]:
    """Return the operations which can answer 401, by the documents of the running services."""
    found = set()
    for service in SERVICES:
        document = local_http.get(f"{ENDPOINTS[service]}/openapi.json", timeout=10).json()
        for path, item in document["paths"].items():
            found |= {(method.upper(), path) for method, what in item.items() if "401" in what["responses"]}
    return found


def asks_who(route: APIRoute) -> bool:
    """Return whether its code asks for the current user, as a dependency or directly."""
    asked = any(need.call is current_user for need in route.dependant.dependencies)
    return asked or "current_user" in route.endpoint.__code__.co_names


def acting_for_somebody() -> set[tuple[str, str]]:
    """Return the operations which ask for the current user, by their code."""
    routers = (auth.router, profile.router, posts.router, feed.router)
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    return {(method, route.path) for route in routes if asks_who(route) for method in route.methods or ()}


def test_no_operation_is_forgotten() -> None:
    assert operations() == GUARDED.keys() | OTHER_401
    assert acting_for_somebody() == GUARDED.keys()


def test_with_a_token_one_acts_for_oneself(
    ada: Person, bob: Person, bobs: dict[str, Any], claim: list[tuple[str, str]]
) -> None:
    before = of_bob(bob)
    mine = f"/api/posts/{ada.post('of Ada').get('id')}"

    def ask(method: str, path: str, **body: Any) -> httpx.Response:
        return ada.http.request(method, path, headers=claim, json=body or None)

    ada.http.delete("/api/profile")
    answers = [
        ask("POST", "/api/profile", city="Aachen"), ask("PUT", "/api/profile", bio="b"),
        ask("GET", "/api/profile"), ask("DELETE", "/api/profile"),
        ask("POST", "/api/posts", title="t", content="c"), ask("PUT", mine, title="new"),
    ]  # fmt: skip
    assert [(answer.is_success, answer.json().get("user_id")) for answer in answers] == [(True, ada.id)] * 6
    assert ask("DELETE", mine).status_code == 200
    assert ask("PUT", f"/api/posts/{bobs['id']}", title="taken over").status_code == 403
    assert ask("DELETE", f"/api/posts/{bobs['id']}").status_code == 403
    stream = eventually(
        lambda: ask("GET", "/api/activity-stream/user").json()["items"], within=10, what="Ada's own stream"
    )
    assert {item["user_id"] for item in stream} == {ada.id}
    assert of_bob(bob) == before


@pytest.mark.parametrize(
    ("place", "with_token"), [("gateway", False), ("own address", False), ("own address", True)]
)
def test_a_claim_alone_is_nobody(
    anybody: httpx.Client, ada: Person, bob: Person, bobs: dict[str, Any],
    claim: list[tuple[str, str]], place: str, with_token: bool,
) -> None:  # fmt: skip
    """With a token, the gateway acts for its owner: see the test above."""
    before = of_bob(bob)
    headers = claim + [("Authorization", f"Bearer {ada.token}")] * with_token
    for (method, path), service in GUARDED.items():
        where = ENDPOINTS["gateway" if place == "gateway" else service] + path.format(post_id=bobs["id"])
        body = {"title": "t", "content": "c"} if service == "posts" else {}
        answer = anybody.request(method, where, headers=headers, json=None if method == "GET" else body)
        assert answer.status_code == 401, (method, where, answer.text)
    assert of_bob(bob) == before


def keys() -> dict[str, str]:
    with client() as http:
        key: dict[str, str] = http.get("/api/auth/.well-known/jwks.json").json()["keys"][0]
    return key


def forged(ada: Person) -> dict[str, str]:
    """Tokens that must be refused, by their fault."""
    head, body, signature = ada.token.split(".")
    claims = jwt.decode(ada.token, options={"verify_signature": False})
    kid = jwt.get_unverified_header(ada.token)["kid"]
    raw = base64.urlsafe_b64decode(keys()["x"] + "=")
    pem = Ed25519PublicKey.from_public_bytes(raw).public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    mine = Ed25519PrivateKey.generate()

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    def hmac_with(key: bytes) -> str:
        import hashlib
        import hmac

        text = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': kid})}.{body}"
        mac = hmac.new(key, text.encode(), hashlib.sha256).digest()
        return f"{text}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"

    def signed(changes: dict[str, Any], key_id: str | None = kid) -> str:
        return jwt.encode(claims | changes, mine, algorithm="EdDSA", headers={"kid": key_id})

    return {
        "alg none": f"{part({'alg': 'none', 'kid': kid})}.{body}.",
        "hmac with the public PEM": hmac_with(pem),
        "hmac with the public bytes": hmac_with(raw),
        "another key under our id": signed({}),
        "unknown key id": signed({}, "unknown"),
        "key id as a path": signed({}, "../../etc/passwd"),
        "changed claims": f"{head}.{part(claims | {'sub': '1'})}.{signature}",
        "words that UTF-8 cannot write": part({"alg": "EdDSA", "kid": kid, "crit": [chr(0xD800)]})
        + ".e30.AA",
        "no signature": f"{head}.{body}.",
        "not a token": "x.y.z",
        "very long": "x" * 7000,
    }


def test_forged_tokens(anybody: httpx.Client, ada: Person) -> None:
    for fault, token in forged(ada).items():
        for path in ("/api/auth/validate", "/api/profile"):
            answer = anybody.get(path, headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 401, (fault, path, answer.text)
            assert "www-authenticate" in answer.headers, (fault, path)


def test_good_token(ada: Person) -> None:
    answer = ada.http.get("/api/auth/validate")
    assert (answer.status_code, answer.headers["x-user-id"]) == (200, str(ada.id))


def test_twenty_registrations_of_one_email() -> None:
    name = f"r{secrets.token_hex(6)}"

    def register(number: int) -> int:
        email = f"{name}@example.org" if number % 2 else f"{name.upper()}@example.org"
        with client() as http:
            new = {"email": email, "username": f"{name}-{number}", "password": "long enough"}
            return http.post("/api/auth/register", json=new).status_code

    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(register, range(20)))
    assert sorted(answers) == [201] + [409] * 19


def test_parallel_changes_of_one_profile_lose_nothing() -> None:
    person = Person()
    person.http.post("/api/profile", json={})
    fields = ["first_name", "last_name", "city", "state", "country", "phone", "bio", "address"]
    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(lambda f: person.http.put("/api/profile", json={f: f}).status_code, fields)
        )
    assert answers == [200] * 8
    profile = person.http.get("/api/profile").json()
    assert [profile[field] for field in fields] == fields


def test_token_times(ada: Person) -> None:
    claims = jwt.decode(ada.token, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 3600
    assert abs(claims["iat"] - time.time()) < 60
