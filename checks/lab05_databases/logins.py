"""Logins: an account is found by its whole address, and no text becomes a part of the statement."""

from datetime import UTC, datetime
from random import Random

import httpx
from grading.outcome import require
from grading.people import said
from grading.plugin import check
from grading.system import ENDPOINTS, http

from lab05_databases.users import register
from lab05_databases.words import HOSTILE


@check(points=1)
def test_login_by_the_whole_address(rng: Random) -> None:
    """An account is found by its whole address, in any letter case, and never by a pattern"""
    name = f"w{rng.getrandbits(40):010x}{datetime.now(UTC):%f}"
    email = f"{name}@example.org"
    with http() as client:
        register(client, email, name)
        login = f"{ENDPOINTS['auth']}/api/auth/login"
        _found_as_it_was_stored(client, name, login)
        for how, sent, wanted in (
            ("in capitals", email.upper(), 200),
            ("with _ in place of its last letter", f"{name[:-1]}_@example.org", 401),
            ("cut off, with % in place of its end", f"{name}%", 401),
        ):
            answer = client.post(login, json={"email": sent, "password": "long enough"})
            require(
                answer.status_code == wanted,
                f"logged in with the right password and the registered address {how}",
                expected=wanted,
                saw=said(answer),
                means="Users do not remember letter case, so compare `lower(email) = lower(%s)`. LIKE and"
                " ILIKE compare with a pattern, in which % and _ match the emails of other users. Look at"
                " `Users.by_email` in users.py.",
            )


def _found_as_it_was_stored(client: httpx.Client, name: str, login: str) -> None:
    """Python and PostgreSQL turn some letters into different small letters."""
    for number, word in enumerate(("stra\u00dfe", "\u0130stanbul", "\u03a3\u03a3")):
        email = f"{word}-{name}@example.org"
        new = register(client, email, f"{name}-{number}")
        answer = client.post(login, json={"email": email, "password": "long enough"})
        require(
            new.status_code != 201 or answer.status_code == 200,
            f"registered {email}, and logged in with exactly this address",
            expected=200,
            saw=said(answer),
            means="Python's `lower()` and `casefold()` turn some letters into others than PostgreSQL's"
            " lower() does, so this user can never log in. Let PostgreSQL convert both sides:"
            " `lower(email) = lower(%s)`. Look at `Users.by_email` in users.py.",
        )


@check(points=2)
def test_hostile_words_at_login(rng: Random) -> None:
    """Text that looks like SQL stays text, as an email and at the login"""
    name = f"o{rng.getrandbits(40):010x}{datetime.now(UTC):%f}"
    email, did = f"o'hara--{name}@example.org", "registered and logged in with an email that holds ' and --"
    with http() as client:
        new = register(client, email, name)
        login = f"{ENDPOINTS['auth']}/api/auth/login"
        good = client.post(login, json={"email": email, "password": "long enough"})
        require(
            (new.status_code, good.status_code) == (201, 200),
            did,
            expected="201 and 200",
            saw=f"{said(new)} and {said(good)}",
            means="Text inside a statement becomes a part of it. Send it as a parameter: `%s` in the"
            " statement, and the values in a tuple. Look at `Users.by_email` and `Users.add` in users.py.",
        )
        words = [*HOSTILE.values(), "' OR '1'='1", f"{email}' OR 'a'='a", "x\0y"]
        answers = [client.post(login, json={"email": w, "password": "long enough"}) for w in words]
        for word, answer in zip(words, answers, strict=True):
            require(
                answer.status_code == 401,
                f"logged in as {word!r}",
                expected="401",
                saw=said(answer),
                means="A client whose text becomes a part of the statement can log in as any user. Send"
                " values as parameters (%s). Look at `Users.by_email` in users.py.",
            )
        again = client.post(login, json={"email": email, "password": "long enough"})
    require(
        again.status_code == 200,
        did,
        expected="still 200",
        saw=said(again),
        means="The text was"
        " executed as a statement. Send values as parameters (%s), never inside the statement. Look at"
        " users.py.",
    )
