"""Nobody acts for somebody else: forged identities, forged tokens, simultaneous registrations."""

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
from support import ENDPOINTS, Person, client

SPELLINGS = ["X-User-ID", "x-user-id", "X_User_ID", "x_user_id", "X-USER_ID"]


@pytest.mark.parametrize("name", SPELLINGS)
@pytest.mark.parametrize("times", [1, 2])
def test_forged_header_with_a_token_changes_nothing(ada: Person, bob: Person, name: str, times: int) -> None:
    forged = [(name, str(bob.id))] * times
    post = ada.http.post("/api/posts", json={"title": "t", "content": "c"}, headers=forged)
    assert post.json()["user_id"] == ada.id
    ada.http.post("/api/profile", json={}, headers=forged)
    assert ada.http.get("/api/profile", headers=forged).json()["user_id"] == ada.id
    items = ada.http.get("/api/activity-stream/user", headers=forged).json()["items"]
    assert {item["user_id"] for item in items} <= {ada.id}
    path = f"/api/posts/{post.json()['id']}"
    assert bob.http.delete(path, headers=[(name, str(ada.id))] * times).status_code == 403


@pytest.mark.parametrize("name", SPELLINGS)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/posts"),
        ("GET", "/api/profile"),
        ("PUT", "/api/profile"),
        ("DELETE", "/api/profile"),
        ("GET", "/api/activity-stream/user"),
        ("DELETE", f"/api/posts/{'0' * 24}"),
    ],
)
def test_forged_header_alone_is_nobody(anybody: httpx.Client, name: str, method: str, path: str) -> None:
    headers = {name: "1", "X-Gateway-Secret": "guess"}
    assert anybody.request(method, path, headers=headers).status_code == 401
    service = {"posts": "posts", "profile": "profile", "activity-stream": "feed"}[path.split("/")[2]]
    direct = anybody.request(method, ENDPOINTS[service] + path, headers=headers)
    assert direct.status_code == 401, "a service believed a header without the gateway's proof"


def keys() -> dict[str, str]:
    with client() as http:
        key: dict[str, str] = http.get("/api/auth/.well-known/jwks.json").json()["keys"][0]
    return key


def forged(ada: Person) -> dict[str, str]:
    """Tokens that must not pass, each by its fault."""
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
