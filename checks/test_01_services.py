"""Lab 01: what the profile service answers, through the gateway and at its own address."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from grading import plain
from grading.outcome import require, wrong
from grading.people import Person, said
from grading.plugin import check
from grading.system import ENDPOINTS, backend, eventually, heal, stopped

from lab.readiness import slow

PATH = "/api/profile"
OWN = ENDPOINTS["profile"]
GATEWAY = ENDPOINTS["gateway"]
LATER = (datetime.now(UTC) + timedelta(days=400)).date().isoformat()
FULL = {
    "first_name": "Ada", "last_name": "Lovelace", "dob": "1990-12-31", "address": "12 Square",
    "city": "London", "state": "England", "zip_code": "SW1Y", "country": "UK", "phone": "1",
    "bio": "Notes", "preferences": {"a": 1},
}  # fmt: skip


def at_service(path: str, seconds: float = 8) -> httpx.Response:
    return plain.get(OWN + path, timeout=seconds)


def made(person: Person, **fields: object) -> dict[str, object]:
    """A profile that exists; its creation must be accepted."""
    answer = person.http.post(PATH, json=fields)
    require(
        answer.status_code == 201,
        f"POST {PATH} with {fields}",
        expected="201 Created",
        saw=said(answer),
        means="Something new was made, so the answer is 201; 200 says that it was there already.",
    )
    found: dict[str, object] = answer.json()
    return found


def problem(answer: httpx.Response, status: int, did: str, names: str, means: str) -> None:
    """The answer is a problem document of this status that names `names`."""
    kind = answer.headers.get("content-type", "")
    good = answer.status_code == status and kind.startswith("application/problem+json")
    require(
        good and names in answer.text,
        did,
        expected=f"{status} application/problem+json" + (f" that names '{names}'" if names else ""),
        saw=f"{kind}: {said(answer)}",
        means=means,
    )


@check(points=1)
def test_created_with_location(ada: Person) -> None:
    """A new profile is answered 201, says where it is, and holds what was sent"""
    answer = ada.http.post(PATH, json=FULL)
    did = f"POST {PATH} with all fields"
    means = "Something new was made, so the answer is 201; 200 says that it was there already."
    require(answer.status_code == 201, did, expected="201 Created", saw=said(answer), means=means)
    location = answer.headers.get("location", "")
    where = urljoin(GATEWAY + PATH, location)
    at_the_gateway = bool(location) and urlsplit(where).netloc == urlsplit(GATEWAY).netloc
    require(
        at_the_gateway and ada.http.get(where).status_code == 200,
        did,
        expected=f"a header Location: {PATH} under which the profile can be read at the gateway",
        saw=f"Location: {location!r}",
        means="Location tells a client where the new thing is.",
    )
    for kind, found in (("its answer", answer.json()), (f"GET {PATH}", ada.http.get(PATH).json())):
        lost = {name: found.get(name, "?") for name, value in FULL.items() if found.get(name) != value}
        require(
            not lost,
            f"{did}, and compared {kind} with what was sent",
            expected=str({name: FULL[name] for name in lost}),
            saw=lost,
            means="A field that was accepted and is not there is lost, and nobody was told.",
        )


@check(points=1)
def test_second_profile_is_a_conflict(ada: Person) -> None:
    """A second profile is refused with 409, and the first one stays"""
    made(ada, city="London")
    answer = ada.http.post(PATH, json={"city": "Paris"})
    problem(answer, 409, f"POST {PATH} twice", "", "The client's wish clashes with what is stored: 409.")
    city = ada.http.get(PATH).json()["city"]
    means = "A refused request must change nothing."
    require(city == "London", f"GET {PATH} afterwards", expected="London", saw=city, means=means)


@check(points=1)
def test_missing_profile_is_404(ada: Person) -> None:
    """What is not there is answered 404, for reading, changing and deleting"""
    for method in ("GET", "PUT", "DELETE"):
        answer = ada.http.request(method, PATH, json={"city": "x"} if method == "PUT" else None)
        did = f"{method} {PATH} without having a profile"
        problem(answer, 404, did, "", "There is nothing yet; 404 says so.")


@check(points=2)
def test_put_leaves_the_rest(ada: Person) -> None:
    """PUT changes what was sent and leaves the rest; null empties a field"""
    kept = {"first_name": "Ada", "preferences": {"a": 1}}
    change = {"city": "Paris", "phone": None, "dob": None}
    made(ada, **kept, city="London", phone="1", dob="1990-12-31")
    answer = ada.http.put(PATH, json=change)
    did = f"PUT {PATH} with city, phone (null) and dob (null) of a profile that has other fields too"
    means = "A client that sends null wants the field to be empty: that is no mistake."
    require(answer.status_code == 200, did, expected="200", saw=said(answer), means=means)
    wanted = kept | change
    seen = {name: answer.json().get(name, "?") for name in wanted}
    stored = {name: ada.http.get(PATH).json().get(name, "?") for name in wanted}
    require(
        seen == wanted == stored,
        did,
        expected=str(wanted),
        saw=f"answered {seen}, stored {stored}",
        means="A field that was not sent is not the same as a field that was sent as null.",
    )


@check(points=1)
def test_delete(ada: Person) -> None:
    """A deleted profile is gone, and can be made anew"""
    made(ada)
    answer = ada.http.delete(PATH)
    after = ada.http.get(PATH).status_code
    require(
        answer.status_code == 200 and after == 404,
        f"DELETE {PATH}, then GET {PATH}",
        expected="200, then 404",
        saw=f"{said(answer)}, then {after}",
        means="After a delete nothing is left to read.",
    )
    made(ada)


@check(points=2)
def test_own_profile_only(ada: Person, bob: Person) -> None:
    """Nobody sees or writes another's profile, whatever the request claims"""
    forged = {"X-User-ID": str(ada.id)}
    # A service that takes the owner from the body makes a profile for Ada here.
    bob.http.post(PATH, json={"first_name": "Bob", "user_id": ada.id}, headers=forged)
    before = ada.http.get(PATH)
    did = f"as Bob: POST {PATH} with Ada's id in body and header; then as Ada: GET {PATH}"
    problem(before, 404, did, "", "Who calls is said by the gateway. A body can claim anything.")
    made(ada, first_name="Ada")
    hers = {"user_id": ada.id}
    mine = bob.http.post(PATH, json={"first_name": "Bob"}, params=hers, headers=forged)
    own = bob.http.get(PATH, params=hers, headers=forged).json()
    bob.http.put(PATH, json={"first_name": "Bobby"}, params=hers, headers=forged)
    bob.http.delete(PATH, params=hers, headers=forged)
    theirs = ada.http.get(PATH).json().get("first_name")
    require(
        theirs == "Ada" and own.get("user_id") == bob.id and mine.status_code in (201, 409),
        "as Bob: POST, GET, PUT and DELETE with Ada's id in query and header",
        expected=f"Bob's own profile (user_id {bob.id}); Ada's stays",
        saw=f"user_id {own.get('user_id')}, Ada's first name is {theirs!r}",
        means="Who calls is said by the gateway. A body can claim anything.",
    )
    for method in ("GET", "PUT", "DELETE"):
        body = {"first_name": "Bob"} if method == "PUT" else None
        answer = plain.request(method, OWN + PATH, json=body, headers=forged, timeout=8)
        did = f"{method} {PATH} at the service itself, past the gateway, with Ada's id in X-User-ID"
        problem(
            answer, 401, did, "", "An id is true only with the gateway's proof; anybody can send a header."
        )


@check(points=2)
def test_unknown_fields_are_refused(ada: Person) -> None:
    """A field that nobody knows is refused by its name"""
    for method in ("POST", "PUT"):
        answer = ada.http.request(method, PATH, json={"frist_name": "Ada"})
        did = f"{method} {PATH} with the mistyped field 'frist_name'"
        means = "A field that is dropped without a word looks stored to the client."
        problem(answer, 422, did, "frist_name", means)
        if method == "POST":
            made(ada)


@check(points=2)
@pytest.mark.parametrize(
    ("field", "values"),
    [("first_name", [7]), ("city", ["x" * 101]), ("dob", [0, "631152000"]), ("dob", ["1500-01-01", LATER]),
     ("dob", ["31.12.1990", "1990-02-31", ""]), ("preferences", [[]]), ("bio", ["a\x00b"])],
    ids=["number", "long", "timestamp", "past", "format", "list", "nul"],
)  # fmt: skip
def test_bad_field_is_named(ada: Person, field: str, values: list[object]) -> None:
    """A field that cannot be taken is answered 422 and named"""
    for value in values:
        answer = ada.http.post(PATH, json={field: value})
        did = f"POST {PATH} with {field} = {str(value)[:20]!r}"
        problem(answer, 422, did, field, "The client can only mend what the answer names.")


@check(points=1)
def test_nothing_is_a_500(ada: Person) -> None:
    """Garbage is answered with 4xx, never with 500"""
    made(ada)
    for body in (
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff\xfe",
        b'{"a":' * 500,
        b'{"preferences": {"a": NaN}}',
    ):
        for method in ("POST", "PUT"):
            headers = {"Content-Type": "application/json"}
            answer = ada.http.request(method, PATH, content=body, headers=headers)
            require(
                400 <= answer.status_code < 500,
                f"{method} {PATH} with the body {body[:20]!r}",
                expected="an answer from 400 to 499",
                saw=said(answer),
                means="A 5xx says that the service is broken; here the client is.",
            )


@check(points=1)
def test_openapi_tells_every_answer(ada: Person) -> None:
    """The OpenAPI document knows every status that is answered"""
    paths = at_service("/openapi.json").json()["paths"]
    wanted = {
        ("/health", "get"): {"200"},
        ("/ready", "get"): {"200", "503"},
        (PATH, "post"): {"201", "400", "401", "409", "422", "503"},
        (PATH, "get"): {"200", "401", "404", "503"},
        (PATH, "put"): {"200", "400", "401", "404", "422", "503"},
        (PATH, "delete"): {"200", "401", "404", "503"},
    }
    for (path, method), statuses in wanted.items():
        told = set(paths.get(path, {}).get(method, {}).get("responses", {}))
        require(
            statuses <= told,
            f"read {method.upper()} {path} in /openapi.json",
            expected=", ".join(sorted(statuses)),
            saw=", ".join(sorted(told)) or "nothing",
            means="Clients are written from this document.",
        )


@check(points=3)
@pytest.mark.disturbs
def test_health_and_ready_without_database() -> None:
    """Without its database the service lives, and says in time that it is not ready"""
    before = at_service("/ready")
    require(
        before.status_code == 200,
        "GET /ready while everything runs",
        expected="200",
        saw=said(before),
        means="All dependencies answer, so the service can work.",
    )
    with stopped("postgresql"):
        answer = eventually(
            lambda: found if (found := at_service("/ready")).status_code != 200 else None,
            within=6,
            what="/ready to turn 503 after PostgreSQL was stopped",
        )
        did = "GET /ready while PostgreSQL is stopped"
        problem(answer, 503, did, "postgresql", "Whoever is paged wants to know what is away.")
        _alive_at_once("stopped")
    _ready_again()
    with frozen("postgresql"):
        _alive_at_once("frozen")
        began = time.monotonic()
        did = "GET /ready while PostgreSQL is frozen: it takes connections and says nothing"
        try:
            answer = at_service("/ready", READY_SECONDS * slow())
        except httpx.TimeoutException:
            late = time.monotonic() - began
            wrong(
                did,
                expected=f"503 within {READY_SECONDS * slow():g} s",
                saw=f"nothing for {late:.0f} s",
                means="Silence is not an answer: readiness needs a time limit of its own.",
            )
        problem(answer, 503, did, "postgresql", "Whoever is paged wants to know what is away.")
    _ready_again()


READY_SECONDS = 8.0


@contextmanager
def frozen(unit: str) -> Iterator[None]:
    """All processes of `unit` stand still; they go on afterwards, whatever happens."""
    backend.freeze(unit)
    try:
        yield
    finally:
        backend.thaw(unit)
        heal()


def _alive_at_once(how: str) -> None:
    did = f"GET /health while PostgreSQL is {how}"
    means = "Liveness asks nobody: restarting this process would not bring the database back."
    try:
        alive = at_service("/health")
    except httpx.TimeoutException:
        wrong(did, expected="200 at once", saw="nothing for 8 s", means=means)
    late = alive.elapsed.total_seconds()
    require(
        alive.status_code == 200 and late < slow(),
        did,
        expected="200 at once",
        saw=f"{said(alive)} after {late:.1f} s",
        means=means,
    )


def _ready_again() -> None:
    eventually(
        lambda: at_service("/ready").status_code == 200, within=10, what="/ready to be 200 again by itself"
    )
