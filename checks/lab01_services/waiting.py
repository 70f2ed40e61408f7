"""What other requests notice while PostgreSQL is slow, silent or down."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from grading.databases import postgresql
from grading.outcome import require, wrong
from grading.people import Person
from grading.plugin import check
from grading.system import eventually, stopped

from lab.probes.readiness import slow
from lab01_services.readiness import frozen
from lab01_services.service import PATH, at_service, made, problem

HELD_SECONDS = 1.2
CALLS = 20
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


@check(points=2)
@pytest.mark.disturbs
def test_ready_holds_up_nobody() -> None:
    """While /ready waits for a silent PostgreSQL, others are answered; no connection stays open"""
    before = _sessions()
    for _ in range(CALLS):
        at_service("/ready")
    time.sleep(0.2)  # what is closed now takes a moment to be gone
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
    with frozen("postgresql"), ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(_quietly, "/ready") for _ in range(4)]
        time.sleep(0.3)  # they wait for PostgreSQL now
        _health_meanwhile("four GET /ready wait for a PostgreSQL that is frozen", asked, "ready")


def _sessions() -> int:
    with postgresql("profile") as connection:
        statement = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        found = connection.execute(statement).fetchone()
    return int(found[0]) if found else 0


def _quietly(path: str) -> None:
    try:
        at_service(path)
    except httpx.HTTPError:
        return  # other checks judge the answer


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
    _held_up("create", lambda: bob.http.post(PATH, json={"city": "Bonn"}))
    _held_up("read", lambda: ada.http.get(PATH))


@check(points=2)
@pytest.mark.disturbs
def test_update_and_delete_hold_up_nobody(ada: Person) -> None:
    """While PUT and DELETE wait for a locked table, other requests are answered"""
    made(ada)
    _held_up("update", lambda: ada.http.put(PATH, json={"city": "Bonn"}))
    _held_up("delete", lambda: ada.http.delete(PATH))


def _held_up(name: str, ask: Any) -> None:
    with ThreadPoolExecutor(2) as threads, postgresql("profile") as holder:
        holder.execute("LOCK TABLE user_profiles IN ACCESS EXCLUSIVE MODE")
        try:
            running = [threads.submit(ask) for _ in range(2)]
            deadline = time.monotonic() + HELD_SECONDS
            waiting = (
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'user_profiles'::regclass"
            )
            while time.monotonic() < deadline and not (holder.execute(waiting).fetchone() or [0])[0]:
                time.sleep(0.02)
            _health_meanwhile("two other requests wait for a lock of PostgreSQL", running, name)
        finally:
            holder.rollback()


@check(points=2)
@pytest.mark.disturbs
def test_unreachable_is_not_missing(ada: Person, bob: Person) -> None:
    """While PostgreSQL is down, POST and GET are answered 503, and afterwards as usual"""
    made(ada, city="London")
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
    problem(answer, 503, f"{method} {PATH} while PostgreSQL is stopped", "postgresql", DOWN.format(name=name))
