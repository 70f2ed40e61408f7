"""What other requests notice while PostgreSQL is slow, silent or down."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, LiteralString

import httpx
import pytest
from grading.databases import postgresql
from grading.outcome import require, wrong
from grading.people import Person
from grading.plugin import check
from grading.system import eventually, stopped

from lab.deadlines import slow
from lab01_services.readiness import frozen
from lab01_services.service import PATH, at_service, made, no_success_yet, problem

HELD_SECONDS = 1.2
CALLS = 20
AT_ONCE = 8
QUEUE_SECONDS = 4.0
"""For calls that each may wait two seconds; eight in a row would take sixteen."""
MOST_LEFT_OPEN = 10
"""A pool may grow to eight connections meanwhile; a leak leaves one for each call."""
BLOCKS = (
    "`{name}` waits for PostgreSQL on the event loop. Until the answer comes this process serves nobody,"
    " /health"
    " included, and Consul takes the instance out of use. In an `async def`, wait with `await`; a driver"
    " that blocks"
    " belongs into a thread."
)
DOWN = (
    "`{name}` turns every error into the same answer. While PostgreSQL is down nobody knows whether there"
    " is a profile:"
    " 503 is the answer, and clients try again later. Let errors that you do not expect pass; the chassis"
    " answers 503."
)
NOT_AWAITED = (
    "`{name}` reports a success although PostgreSQL is down. Either it does not wait for the store, and"
    " answers before the work is done, or it hides the error, for example by an answer from memory."
    " `await` the call, and let its errors pass."
)


@check(points=2)
@pytest.mark.disturbs
def test_ready_holds_up_nobody() -> None:
    """While /ready waits for a paused PostgreSQL, other requests are answered; no connection stays open"""
    before = _sessions()
    for _ in range(CALLS):
        at_service("/ready")
    left, deadline = CALLS, time.monotonic() + slow()
    # PostgreSQL needs a moment to remove a connection that was closed.
    while left > MOST_LEFT_OPEN and time.monotonic() < deadline:
        left = _sessions() - before
    require(
        left <= MOST_LEFT_OPEN,
        f"GET /ready {CALLS} times, and counted the connections to the database of profile before and after",
        expected=f"at most {MOST_LEFT_OPEN} more",
        saw=f"{left} more",
        means="`ready` opens a connection at each call and does not close it. PostgreSQL accepts a"
        " limited number, and"
        " Consul and people ask for readiness again and again.",
    )
    with frozen("postgresql"), ThreadPoolExecutor(AT_ONCE) as threads:
        asked = [threads.submit(_seconds_of, "/ready") for _ in range(AT_ONCE)]
        time.sleep(0.3)  # they wait for PostgreSQL now, which a frozen PostgreSQL cannot confirm
        _health_meanwhile(f"{AT_ONCE} GET /ready wait for a PostgreSQL that is frozen", asked, "ready")
        longest = max(future.result() for future in asked)
    require(
        longest < QUEUE_SECONDS * slow(),
        f"GET /ready {AT_ONCE} times at once while PostgreSQL is frozen",
        expected=f"all answers within {QUEUE_SECONDS * slow():g} s: each call waits two seconds at most",
        saw=f"the last answer after {longest:.1f} s",
        means="Calls of `ready` wait for each other, for example for a lock. Each caller adds two seconds, so"
        " no caller learns in time that the instance is not ready.",
    )


def _sessions() -> int:
    with postgresql("profile") as connection:
        statement = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        found = connection.execute(statement).fetchone()
    return int(found[0]) if found else 0


def _seconds_of(path: str) -> float:
    """How long the answer took; other checks judge the answer itself."""
    began = time.monotonic()
    with suppress(httpx.HTTPError):
        at_service(path, 20)
    return time.monotonic() - began


def _health_meanwhile(how: str, running: list[Future[Any]], name: str) -> None:
    """GET /health three times while `running` waits."""
    did = f"GET /health while {how}"
    for _ in range(3):
        try:
            late = at_service("/health", slow()).elapsed.total_seconds()
        except httpx.TimeoutException:
            wrong(
                did,
                expected=f"200 within {slow():g} s",
                saw="no answer in this time",
                means=BLOCKS.format(name=name),
            )
        waiting = sum(not future.done() for future in running)
        require(
            late < slow() / 2,
            did,
            expected=f"200 within {slow() / 2:g} s",
            saw=f"200 after {late:.1f} s; {waiting} of {len(running)} requests still waited",
            means=BLOCKS.format(name=name),
        )
        time.sleep(0.1)


@check(points=2)
@pytest.mark.disturbs
def test_create_and_read_hold_up_nobody(ada: Person, bob: Person) -> None:
    """While POST and GET wait for a locked table, other requests are answered"""
    row = "INSERT INTO user_profiles (user_id, preferences, version) VALUES (%s, '{}', 1)"
    with ThreadPoolExecutor(1) as threads, _row_held(row, bob):
        threads.submit(bob.http.post, PATH, json={"city": "Bonn"})
        _until_one_waits()
        for name, method in (("create", "POST"), ("read", "GET")):
            _another_user(name, method, ada)
    _held_up("create", lambda: bob.http.post(PATH, json={"city": "Bonn"}))
    _held_up("read", lambda: ada.http.get(PATH))


@check(points=2)
@pytest.mark.disturbs
def test_update_and_delete_hold_up_nobody(ada: Person, bob: Person) -> None:
    """While PUT and DELETE wait for a lock, other requests are answered, and they themselves are not"""
    made(ada)
    made(bob)
    _held_up("update", lambda: ada.http.put(PATH, json={"city": "Bonn"}))
    for name, method in (("update", "PUT"), ("delete", "DELETE")):
        row = "SELECT id FROM user_profiles WHERE user_id = %s FOR UPDATE"
        with ThreadPoolExecutor(1) as threads, _row_held(row, bob):
            waiting = threads.submit(bob.http.request, method, PATH, json={"city": "Bonn"})
            _until_one_waits()
            _another_user(name, method, ada)
            no_success_yet(name, method, waiting)
    _held_up("delete", lambda: ada.http.delete(PATH))


@contextmanager
def _row_held(statement: LiteralString, person: Person) -> Iterator[None]:
    """One user's row is locked, so that requests of this user wait, and those of other users do not."""
    with postgresql("profile") as holder:
        holder.execute(statement, (person.id,))
        try:
            yield
        finally:
            holder.rollback()


def _until_one_waits() -> None:
    """Return when a transaction waits for another one."""
    deadline = time.monotonic() + HELD_SECONDS
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype IN ('transactionid', 'tuple')"
    with postgresql("profile") as connection:
        while time.monotonic() < deadline and not (connection.execute(waiting).fetchone() or [0])[0]:
            time.sleep(0.02)


def _another_user(name: str, method: str, person: Person) -> None:
    """A request of a user whose row is not locked is answered at once."""
    did = f"{method} {PATH} as one user while the same request of another user waits for a locked row"
    began = time.monotonic()
    with suppress(httpx.HTTPError):
        body = {"city": "Rome"} if method in ("POST", "PUT") else None
        person.http.request(method, PATH, json=body, timeout=slow())
    late = time.monotonic() - began
    require(
        late < slow() / 2,
        did,
        expected=f"an answer within {slow() / 2:g} s",
        saw=f"an answer, or none, after {late:.1f} s",
        means=f"`{name}` makes the requests of all users wait for each other, for example for one lock. One"
        " slow row of one user then stops the service for all users.",
    )


def _held_up(name: str, ask: Any) -> None:
    with ThreadPoolExecutor(AT_ONCE) as threads, postgresql("profile") as holder:
        holder.execute("LOCK TABLE user_profiles IN ACCESS EXCLUSIVE MODE")
        try:
            running = [threads.submit(ask) for _ in range(AT_ONCE)]
            deadline = time.monotonic() + HELD_SECONDS
            waiting = (
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'user_profiles'::regclass"
            )
            while time.monotonic() < deadline and not (holder.execute(waiting).fetchone() or [0])[0]:
                time.sleep(0.02)
            _health_meanwhile(f"{AT_ONCE} other requests wait for a lock of PostgreSQL", running, name)
        finally:
            holder.rollback()


@check(points=2)
@pytest.mark.disturbs
def test_unreachable_is_not_missing(ada: Person, bob: Person) -> None:
    """While PostgreSQL is down, POST and GET are answered 503, and afterwards as usual"""
    made(ada, city="London")
    ada.http.get(PATH)  # what was read once may be remembered
    with stopped("postgresql"):
        for name, method, person in (("read", "GET", ada), ("create", "POST", bob)):
            _is_503(name, method, person)
    eventually(
        lambda: ada.http.get(PATH).status_code == 200, within=8, what=f"GET {PATH} to be 200 again by itself",
        means="After an outage of PostgreSQL the service must work again without a restart.",
    )  # fmt: skip


@check(points=2)
@pytest.mark.disturbs
def test_unreachable_is_not_changed(ada: Person) -> None:
    """While PostgreSQL is down, PUT and DELETE are answered 503, and the profile stays as it was"""
    made(ada, city="London")
    with stopped("postgresql"):
        for name, method in (("update", "PUT"), ("delete", "DELETE")):
            _is_503(name, method, ada)
    eventually(
        lambda: ada.http.get(PATH).json()["city"] == "London", within=8, what="the profile to be as it was",
        means="A request that was answered 503 must change nothing.",
    )  # fmt: skip


def _is_503(name: str, method: str, person: Person) -> None:
    answer = person.http.request(method, PATH, json={"city": "Rome"} if method in ("POST", "PUT") else None)
    means = (NOT_AWAITED if answer.is_success else DOWN).format(name=name)
    problem(answer, 503, f"{method} {PATH} while PostgreSQL is stopped", "postgresql", means)
