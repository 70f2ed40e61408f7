"""Strings that are compared: two Unicode forms of the same text count as the same string."""

import asyncio
import secrets
import unicodedata
from typing import Any

import httpx
import pytest
from grading.databases import postgresql
from support import Person

from civildiy.auth.passwords import Passwords

COMPOSED = "caf\u00e9 caf\u00e9 9"
JSON = {"Content-Type": "application/json"}


def decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def new(**more: Any) -> dict[str, Any]:
    name = f"p{secrets.token_hex(6)}"
    return {"email": f"{name}@example.org", "username": name, "password": COMPOSED} | more


def login(anybody: httpx.Client, email: str, password: str) -> int:
    return anybody.post("/api/auth/login", json={"email": email, "password": password}).status_code


@pytest.mark.parametrize("registered", [COMPOSED, decomposed(COMPOSED)], ids=["composed", "decomposed"])
def test_password_in_any_encoding(anybody: httpx.Client, registered: str) -> None:
    account = new(password=registered)
    assert anybody.post("/api/auth/register", json=account).status_code == 201
    good = (COMPOSED, decomposed(COMPOSED), COMPOSED.replace(" ", "\u00a0"), COMPOSED.replace(" ", "\u3000"))
    for spelling in good:
        assert login(anybody, account["email"], spelling) == 200, ascii(spelling)
    for other in ("cafe cafe 9", COMPOSED.upper(), COMPOSED + " ", COMPOSED.replace("9", "\uff19")):
        assert login(anybody, account["email"], other) == 401, ascii(other)


@pytest.mark.parametrize(
    "stored", [COMPOSED, decomposed(COMPOSED), "caf\u00e9\u3000caf\u00e9 9", "tab\tinside 9"]
)
def test_accounts_from_before_still_log_in(anybody: httpx.Client, stored: str) -> None:
    """A password from an older version was hashed exactly as it was typed."""
    account = new()
    made = anybody.post("/api/auth/register", json=account).json()
    with postgresql("auth") as connection:
        hashed = asyncio.run(Passwords().hash(stored))
        connection.execute("UPDATE users SET password_hash = %s WHERE id = %s", (hashed, made["id"]))
        connection.commit()
    assert login(anybody, account["email"], stored) == 200
    if "\u3000" not in stored:  # which kind of space was used cannot be seen from the new input
        assert login(anybody, account["email"], unicodedata.normalize("NFC", stored)) == 200


@pytest.mark.parametrize(
    ("password", "status"),
    [
        ("\u00e9" * 8, 201), ("e\u0301" * 8, 201), ("e\u0301" * 7, 422), ("e\u0301" * 128, 201),
        ("e\u0301" * 129, 422), ("line\nline", 422),
        ("\U0001f469\u200d\U0001f680" * 8, 201), ("\U0001f600" * 128, 201), ("x" * 129, 422),
        ("tab\ttabtab", 422), ("escape\x1b[1m", 422), ("nul\x00nulnul", 422), (" " * 8, 201),
        ("\u200b" * 8, 422), ("\ufeffpasted from a page", 422), ("soft\u00adhyphen", 422),
        ("\u202ereversed", 422), ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645\u0634", 201),
        ("\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f" * 2, 201),
    ],
)  # fmt: skip
def test_which_passwords_are_taken(anybody: httpx.Client, password: str, status: int) -> None:
    account = new(password=password)
    answer = anybody.post("/api/auth/register", json=account)
    assert answer.status_code == status, answer.text
    assert login(anybody, account["email"], password) == (200 if status == 201 else 401)


def test_half_a_surrogate_is_wrong_and_no_500(anybody: httpx.Client, ada: Person) -> None:
    for body in (
        f'{{"email": "{ada.email}", "password": "\\ud800"}}',
        f'{{"email": "{ada.email}\\udc00", "password": "x"}}',
    ):
        answer = anybody.post("/api/auth/login", content=body, headers=JSON)
        assert answer.status_code == 422
        assert "half a surrogate pair" in answer.text
    assert login(anybody, ada.email, "x" * 513) == 422


@pytest.mark.parametrize(
    "email",
    [
        "Ana B <ana@example.org>", "<ana@example.org>", '"Ana B" <ana@example.org>', "ana@example.org.",
        "ana(comment)@example.org", '"ana b"@example.org', "ana@[127.0.0.1]", "ana@localhost", "@example.org",
        "ana@", "ana", "a..b@example.org", ".a@example.org", "ana@example..org", "ana\n@example.org",
        "ana@example.org\nBcc: b@example.org", "\u200bana@example.org", "ana\u202e@example.org",
        "ana@exa\u00admple.org", "ana @example.org", "ana@example.org, b@example.org",
        "mailto:ana@example.org", "y" * 65 + "@example.org", "\x00@example.org", "ana@exam_ple.org",
    ],
)  # fmt: skip
def test_an_email_is_an_address(anybody: httpx.Client, email: str) -> None:
    answer = anybody.post("/api/auth/register", json=new(email=email))
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == "email"
    assert len(answer.content) < 1500
    assert login(anybody, email, COMPOSED) == 401


def test_an_address_has_one_spelling(anybody: httpx.Client) -> None:
    name = secrets.token_hex(6)
    account = new(email=f"\u00c9va.{name}@B\u00fccher.example")
    made = anybody.post("/api/auth/register", json=account)
    assert (made.status_code, made.json()["email"]) == (201, f"\u00c9va.{name}@b\u00fccher.example")
    for other in (
        decomposed(f"\u00c9va.{name}@b\u00fccher.example"), f"\u00e9VA.{name.upper()}@B\u00dcCHER.EXAMPLE",
        f"\u00c9va.{name}@xn--bcher-kva.example", f"  \u00c9va.{name}@b\u00fccher.example\t",
    ):  # fmt: skip
        assert login(anybody, other, COMPOSED) == 200, ascii(other)
        taken = anybody.post("/api/auth/register", json=new(email=other))
        assert taken.status_code == 409, taken.text


@pytest.mark.parametrize(
    "username",
    [
        "ad\u0430",
        "\uff41\uff44\uff41",
        "a\u200bda",
        "ada\u202e",
        "a da",
        "ada\u00a0x",
        "ada\n",
        "-ada",
        "\u00e9va",
        "a" * 31,
    ],
)
def test_a_username_has_no_double(anybody: httpx.Client, username: str) -> None:
    """Only ASCII letters, digits and . _ - are allowed, so no name looks like another one."""
    answer = anybody.post("/api/auth/register", json=new(username=username))
    assert answer.status_code == 422, answer.text


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("caf\u00e9", "caf\u00e9"), (decomposed("caf\u00e9"), "caf\u00e9"),
        ("  new\u3000 york\t", "new york"), ("caf\u00e9\u200b", "caf\u00e9"),
        ("\u202egnitirw", "gnitirw"), ("\ufeffbom", "bom"), ("a\u00adb", "ab"),
        ("\U0001f469\u200d\U0001f680", "\U0001f469\u200d\U0001f680"), ("Diy", "Diy"),
        ("e\u0301" * 50, "\u00e9" * 50),
    ],
)  # fmt: skip
def test_a_tag_has_one_spelling(ada: Person, typed: str, kept: str) -> None:
    post = ada.post(tags=[typed])
    assert post["tags"] == [kept]
    assert ada.http.put(f"/api/posts/{post['id']}", json=post).json()["tags"] == [kept]


@pytest.mark.parametrize("tag", ["", " ", "\u200b", "\u202e\ufeff", "\t", "x" * 51, "\u00e9" * 51, "a\x00b"])
def test_a_tag_can_be_seen(ada: Person, tag: str) -> None:
    answer = ada.http.post("/api/posts", json={"title": "t", "content": "c", "tags": [tag]})
    assert answer.status_code == 422, answer.text
