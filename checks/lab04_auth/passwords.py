"""How passwords are stored, and what a failed login reveals."""

import statistics
import time

import httpx
from grading import checked_http
from grading.outcome import require
from grading.people import Person, said
from grading.plugin import check
from grading.reach import rows
from grading.system import ENDPOINTS

EARLY = (
    "`verify` answers early for unknown users (`stored` is None), which tells a stranger who has an account."
    " Compare with `self._nobody` then."
)
LATE = (
    "`verify` answers a wrong password of a known user earlier than an unknown user, for example from memory,"
    " which tells a stranger who has an account. Compute each answer, once, with `self._matches`."
)
LEAST_KIB, LEAST_KIB_TIMES = 7168, 5 * 7168
"""The cheapest of OWASP's choices for Argon2id is 7 MiB five times."""


@check(points=2)
def test_password_hashes(ada: Person, bob: Person) -> None:
    """Passwords are stored as Argon2id hashes that cost enough, each with a salt of its own"""
    for person in (ada, bob):
        answer = person.http.post(
            "/api/auth/register",
            json={
                "email": f"x{person.email}",
                "username": f"x{person.name}",
                "password": "the same for both",
            },
        )
        require(
            answer.status_code in (201, 409),
            "register",
            expected="201",
            saw=said(answer),
            means="Without an account no hash can be looked at. `hash` in passwords.py is part of a"
            " registration.",
        )
    found = rows(
        "auth", "SELECT password_hash FROM users WHERE email = ANY(%s)", [f"x{ada.email}", f"x{bob.email}"]
    )
    hashes = [str(row[0]) for row in found]
    did = "registered two people with the same password and read the table users"
    require(
        all(h.startswith("$argon2id$") for h in hashes),
        did,
        expected="hashes that begin with $argon2id$",
        saw=[h[:20] for h in hashes],
        means="A fast or reversible hash gives all passwords away once the table is stolen.",
    )
    for parameters in (h.split("$")[3] for h in hashes):
        cost = {name: int(value) for name, value in (part.split("=") for part in parameters.split(","))}
        require(
            cost["m"] >= LEAST_KIB and cost["m"] * cost["t"] >= LEAST_KIB_TIMES,
            did,
            expected="as much work as OWASP names as the least, such as m=19456,t=2,p=1",
            saw=parameters,
            means="A cheap hash is guessed by the million each second once the table is stolen.",
        )
    salts = [h.split("$")[4] for h in hashes]
    require(
        len(set(salts)) == 2,
        did,
        expected="two different salts",
        saw=f"salts {salts}",
        means="With one salt for all, equal passwords have equal hashes, and one table of guesses"
        " fits all accounts. `self._hasher.hash` makes a new salt at each call.",
    )


@check(points=2)
def test_unknown_user_and_wrong_password_look_the_same(ada: Person) -> None:
    """Unknown user and wrong password: the same answer after about the same time"""
    times: dict[str, list[float]] = {"wrong password": [], "unknown user": []}
    answers: dict[str, httpx.Response] = {}
    url = f"{ENDPOINTS['auth']}/api/auth/login"
    with checked_http.client(timeout=10) as http:
        for _ in range(9):  # interleaved: both meet the same noise
            for kind, email in (("wrong password", ada.email), ("unknown user", f"nobody{ada.email}")):
                began = time.perf_counter()
                answers[kind] = http.post(url, json={"email": email, "password": "wrong-password"})
                times[kind].append(time.perf_counter() - began)
    bodies = {answer.text for answer in answers.values()}
    statuses = {answer.status_code for answer in answers.values()}
    did = "logged in nine times with a wrong password and nine times as an unknown user"
    require(
        statuses == {401} and len(bodies) == 1,
        did,
        expected="401 and the same text for both",
        saw=[said(answer) for answer in answers.values()],
        means="Two different answers tell a stranger who has an account. `verify` must answer False for"
        " both.",
    )
    known, unknown = (statistics.median(times[kind]) for kind in times)
    require(
        0.5 < unknown / known < 2,
        did,
        expected="about the same time for both (ratio 0.5 to 2)",
        saw=f"{known * 1000:.1f} ms and {unknown * 1000:.1f} ms, ratio {unknown / known:.2f}",
        means=EARLY if unknown < known else LATE,
    )
