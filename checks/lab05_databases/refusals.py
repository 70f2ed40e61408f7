"""Registrations and logins that are refused, and those that the database cannot answer."""

from datetime import UTC, datetime
from random import Random

import pytest
from grading.databases import left_open, locked
from grading.outcome import require
from grading.people import said
from grading.plugin import check
from grading.system import ENDPOINTS, http

from lab05_databases.meanwhile import answered, nobody_else_waited
from lab05_databases.users import register


@check(points=1)
def test_taken_field_is_named(rng: Random) -> None:
    """A refused registration names the field that is taken, whatever the values are"""
    word = f"{rng.getrandbits(32):08x}{datetime.now(UTC):%f}"
    with http() as client:
        for email, name in (
            (f"username-{word}@example.org", f"email-{word}"),
            (f"users_username-{word}@example.org", f"users_email-{word}"),
        ):
            register(client, email, name)
            for field, answer in (
                ("email", register(client, email.upper(), f"x{rng.getrandbits(40):x}")),
                ("username", register(client, f"x{rng.getrandbits(40):x}@example.org", name.upper())),
            ):
                errors = answer.json().get("errors") if answer.status_code == 409 else None
                named = [error["field"] for error in errors or []]
                require(
                    named == [field],
                    "registered a username that holds 'email' with an email that holds 'username', then"
                    f" another person with the same {field}",
                    expected=f"409, and an error that names '{field}'",
                    saw=said(answer),
                    means="The text of PostgreSQL's error also holds the value that was sent, so words in it"
                    " prove nothing. `violation.diag.constraint_name` is the name of the index that refused."
                    " Look at `Users.add` in users.py.",
                )


@check(points=2)
@pytest.mark.disturbs
def test_refusals_keep_no_connection(rng: Random) -> None:
    """Refused registrations and logins give their connection back"""
    word = f"k{rng.getrandbits(40):x}{datetime.now(UTC):%f}"
    email = f"{word}@example.org"
    login = {"email": f"nobody-{email}", "password": "long enough"}
    with http() as client:
        register(client, email, word)
        for what, ask, wanted in (
            ("registered a taken email", lambda: register(client, email, f"{word}x"), 409),
            ("registered a taken username", lambda: register(client, f"x{email}", word), 409),
            (
                "logged in with an unknown email",
                lambda: client.post(f"{ENDPOINTS['auth']}/api/auth/login", json=login),
                401,
            ),
        ):
            seen = [ask().status_code for _ in range(10)]  # type: ignore[no-untyped-call]
            still_open = left_open("auth")
            require(
                seen == [wanted] * 10 and still_open == 0,
                f"{what} ten times, one after the other",
                expected=f"ten times {wanted}, and no connection left in an open transaction",
                saw=f"{seen}; {still_open} connections with an open transaction",
                means="A refused request does not give its connection back. The pool has eight; then all"
                " requests get 503. Take connections with `async with self._pool.connection()` in users.py,"
                " so that errors give them back as well.",
            )


@check(points=1)
@pytest.mark.disturbs
def test_accounts_without_database(rng: Random) -> None:
    """While PostgreSQL cannot answer, a registration and a login get 503, not 409 or 401"""
    word = f"d{rng.getrandbits(40):x}{datetime.now(UTC):%f}"
    email = f"{word}@example.org"
    login = {"email": email, "password": "long enough"}
    with http() as client:
        register(client, email, word)
        calls = (
            lambda: register(client, f"x{email}", f"{word}x"),
            lambda: client.post(f"{ENDPOINTS['auth']}/api/auth/login", json=login),
        )
        with locked("auth", "users"):
            seen, slowest = answered("auth", calls)
    did = (
        "locked the table users, so that PostgreSQL ends each statement after 4 s; registered a new"
        " account, and"
        " logged in with a right password"
    )
    nobody_else_waited("auth", slowest, did, "users.py")
    require(
        seen == [503, 503],
        did,
        expected="503 for both",
        saw=seen,
        means="Your code takes every error for one particular error. In users.py, catch only"
        " UniqueViolation in"
        " `Users.add`, and nothing in `Users.by_email`; all other errors become 503 by themselves.",
    )
