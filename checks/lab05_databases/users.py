"""Accounts: the table users, its unique indexes, and the login."""

from datetime import UTC, datetime
from random import Random
from typing import LiteralString

import httpx
import psycopg
import pytest
from grading.databases import inserts_at_once, postgresql, restart_process, without_users
from grading.outcome import require
from grading.people import said
from grading.plugin import check
from grading.system import ENDPOINTS, backend, eventually, http

from lab.course.running import incidents
from lab.deadlines import slow

TOO_LATE = 504
RACE_SECONDS = 30
"""Each registration computes a password hash. Twenty at once take over ten seconds on a busy machine."""


def register(client: httpx.Client, email: str, username: str) -> httpx.Response:
    new = {"email": email, "username": username, "password": "long enough"}
    return client.post(f"{ENDPOINTS['gateway']}/api/auth/register", json=new)


def mixed(word: str, rng: Random) -> str:
    return "".join(rng.choice((letter.lower(), letter.upper())) for letter in word)


def race(what: str, rng: Random, where: str) -> None:
    """Twenty registrations that agree in `what`, but for letter case; one may win."""
    answers = _registered_at_once(what, rng)
    if any(answer.status_code == TOO_LATE for answer in answers):
        answers = _registered_at_once(what, rng)  # the machine was busy with the hashes: once more
    seen = sorted(answer.status_code for answer in answers)
    require(
        seen == [201] + [409] * 19,
        f"registered twenty people with one {what} (in different letter case) at once{where}",
        expected="one 201 and nineteen 409",
        saw={status: seen.count(status) for status in seen},
        means=_of_race(seen),
    )
    refused = next(answer for answer in answers if answer.status_code == 409)
    named = [error["field"] for error in refused.json().get("errors") or []]
    require(
        named == [what],
        f"read a 409 of the twenty{where}",
        expected=f"an error that names '{what}'",
        saw=said(refused),
        means="`violation.diag.constraint_name` is the name of the index that refused, and names the field."
        " Look at `Users.add` in users.py.",
    )


def _registered_at_once(what: str, rng: Random) -> list[httpx.Response]:
    name = f"r{rng.getrandbits(40):010x}{datetime.now(UTC):%f}"
    emails, names = [], []
    for number in range(20):
        emails.append(mixed(f"{name}@example.org", rng) if what == "email" else f"{name}{number}@example.org")
        names.append(mixed(name, rng) if what == "username" else f"{name}-{number}")
    with http() as client:
        client.timeout = RACE_SECONDS * slow()
        return inserts_at_once("auth", "users", 20, lambda n: register(client, emails[n], names[n]))


def _of_race(seen: list[int]) -> str:
    if seen.count(201) > 1:
        return (
            "Several accounts share one name. All twenty looked before the first one wrote, so a look"
            " before the"
            " insert proves nothing: a unique index on lower(…) has to refuse. Look at `ensure_table` in"
            " users.py."
        )
    if 503 in seen:
        return (
            "Some requests got no connection from the pool: refused ones keep theirs, or each takes"
            " long. Look"
            " at how `Users.add` in users.py takes and gives back its connection."
        )
    if TOO_LATE in seen:
        return (
            "Some registrations were not answered within ten seconds, twice. Either `Users.add` waits or"
            " tries again by itself, or the machine is very busy: each registration computes a hash. Run"
            " the check again when less is going on."
        )
    if 500 in seen:
        return (
            "The database refused the insert, and your code did not expect that: all twenty looked before the"
            " first one wrote. Turn UniqueViolation into `Taken` in `Users.add` in users.py."
        )
    return "One registration has to win, and the others have to be refused. Look at `Users.add` in users.py."


@check(points=3)
@pytest.mark.parametrize("what", ["email", "username"])
def test_parallel_registrations(what: str, rng: Random) -> None:
    """Of twenty registrations of one name at the same moment one succeeds, in any letter case"""
    race(what, rng, "")


@check(points=2)
@pytest.mark.disturbs
def test_empty_database(rng: Random) -> None:
    """In an empty database auth creates the table with its unique indexes"""
    with without_users():
        began = restart_process("auth")

        def made() -> bool:
            with postgresql("auth") as connection:
                found = connection.execute("SELECT to_regclass('public.users')").fetchone()
            return bool(found and found[0])

        eventually(
            lambda: made() or incidents(backend, ("auth",), began),
            within=15,
            what="auth to make the table users",
        )
        for what in ("email", "username"):
            race(what, rng, ", in a table that auth had just made")


@check(points=2)
@pytest.mark.disturbs
def test_full_database(rng: Random) -> None:
    """In a database with accounts auth adds the unique indexes, and loses no account"""
    name = f"f{rng.getrandbits(40):010x}{datetime.now(UTC):%f}"
    held = "SELECT count(*) FROM public.users WHERE email = %s"
    guarded = "SELECT count(*) FROM pg_indexes WHERE schemaname = 'public' AND tablename = 'users'"
    with without_users():
        with postgresql("auth") as connection:
            like = "LIKE kept.users INCLUDING DEFAULTS INCLUDING IDENTITY"
            connection.execute(f"CREATE TABLE public.users ({like})")
            connection.execute(
                "INSERT INTO public.users (email, username, password_hash) VALUES (%s, %s, 'none')",
                (f"{name}@example.org", name),
            )
        began = restart_process("auth")

        def count(statement: LiteralString, *values: str) -> int:
            with postgresql("auth") as connection:
                found = connection.execute(statement, values).fetchone()
            return int(found[0]) if found else 0

        eventually(
            lambda: count(guarded) >= 2 or incidents(backend, ("auth",), began),
            within=5,
            what="auth to make the indexes of a table that was there before it",
        )
        with http() as client:
            seen = [register(client, f"{name.upper()}@example.org", f"{name}-2").status_code]
            seen.append(register(client, f"{name}2@example.org", name.upper()).status_code)
        left = count(held, f"{name}@example.org")
    require(
        (left, seen) == (1, [409, 409]),
        "began auth on a table with one account and no index, and registered its email and its name again",
        expected="the account still there, and 409 for both",
        saw=f"{left} account with this email; answers {seen}",
        means="A service starts many times, and only once with an empty database. `ensure_table` in"
        " users.py has to add what is missing (IF NOT EXISTS) and must not drop anything.",
    )


@check(points=1)
@pytest.mark.parametrize(("role", "other"), [("auth", "profile"), ("profile", "auth")])
def test_roles_are_apart(role: str, other: str) -> None:
    """The role of one service cannot read the database of another"""
    with postgresql(role) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    try:
        with postgresql(role, other) as connection:
            seen = str(connection.execute("SELECT current_database()").fetchone())
    except psycopg.OperationalError as error:
        seen = str(error)
    require(
        "permission denied" in seen,
        f"connected to the database {other} as the role {role}",
        expected="permission denied",
        saw=seen,
        means="A service that reads another service's tables depends on them, so neither can change its"
        " tables alone.",
    )
