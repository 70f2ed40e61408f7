"""Liveness and readiness while PostgreSQL is stopped and while it is frozen."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
import pytest
from grading.databases import at_once
from grading.outcome import require, wrong
from grading.people import Person, said
from grading.plugin import check
from grading.system import backend, eventually, heal, stopped

from lab.deadlines import slow
from lab01_services.service import PATH, at_service, problem

READY_SECONDS = 8.0
PAUSE_SECONDS = 5.0
FAILS_SECONDS = 3.0
"""Longer than `/ready` takes to find out that PostgreSQL does not answer."""
ASKS = (
    "`health` waits for PostgreSQL or fails with it. Liveness must query nothing: when it fails, the"
    " supervisor restarts the process, and this does not bring the database back."
)
REMEMBERS = (
    "`health` answers with what another request has found out about PostgreSQL. Liveness must not depend on"
    " what was asked before: Consul takes this instance out of use, and nothing brings it back."
)
ALIVE = {"status": "ok", "service": "profile"}
NAMES_IT = "`ready` must answer 503 with the name of the dependency: it tells people what to repair."


@check(points=1)
@pytest.mark.disturbs
def test_alive_without_database(ada: Person) -> None:
    """While PostgreSQL is down or paused, /health still answers 200 at once"""
    _says_which_service()
    for how, fault in (("stopped", stopped), ("frozen", frozen)):
        with fault("postgresql"):
            _alive_at_once(f"while PostgreSQL is {how}", ASKS)
            _other_requests_fail(ada)
            _alive_at_once(f"while PostgreSQL is {how}, after GET /ready and GET {PATH}", REMEMBERS)
        _alive_at_once(f"after PostgreSQL was {how} and continues, before anybody asks /ready", REMEMBERS)
    _pause_until_ready()


def _pause_until_ready() -> None:
    """Give the next check a ready service. /ready belongs to another step, so its answer is not judged."""
    deadline = time.monotonic() + PAUSE_SECONDS
    while time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            if at_service("/ready").status_code == 200:
                return
        time.sleep(0.1)


def _other_requests_fail(person: Person) -> None:
    """GET /ready and GET of a profile meet the fault; their answers are judged in other steps."""

    def ask(number: int) -> None:
        with suppress(httpx.HTTPError):
            if number:
                at_service("/ready", FAILS_SECONDS)
            else:
                person.http.get(PATH, timeout=FAILS_SECONDS)

    at_once(2, ask)


@check(points=2)
@pytest.mark.disturbs
def test_ready_without_database() -> None:
    """While PostgreSQL is down or paused, /ready answers 503 in time, and 200 afterwards"""
    before = at_service("/ready")
    require(
        before.status_code == 200,
        "GET /ready while everything runs",
        expected="200",
        saw=said(before),
        means="All dependencies answer now, so the service can work. `ready` must query PostgreSQL at each"
        " call: an answer that it remembers from an earlier outage is too late.",
    )
    with stopped("postgresql"):
        answer = eventually(
            lambda: found if (found := at_service("/ready")).status_code != 200 else None,
            within=2.5,
            what="/ready to turn 503 after PostgreSQL was stopped",
            means="`ready` answered 200 although PostgreSQL is down. It must query PostgreSQL at each"
            " call, not answer"
            " from memory: requests would go on to an instance that cannot serve them.",
        )
        did = "GET /ready while PostgreSQL is stopped"
        problem(answer, 503, did, "postgresql", NAMES_IT)
    _ready_again()
    with frozen("postgresql"):
        began = time.monotonic()
        did = "GET /ready while PostgreSQL is frozen: it accepts connections and does not answer"
        try:
            answer = at_service("/ready", READY_SECONDS * slow())
        except httpx.TimeoutException:
            late = time.monotonic() - began
            wrong(
                did,
                expected=f"503 within {READY_SECONDS * slow():g} s",
                saw=f"nothing for {late:.0f} s",
                means="`ready` waits for PostgreSQL without a time limit. A frozen server accepts"
                " connections and never answers.",
            )
        problem(answer, 503, did, "postgresql", NAMES_IT)
    _ready_again()


@contextmanager
def frozen(unit: str) -> Iterator[None]:
    """Pause all processes of `unit`, and let them continue afterwards, whatever happens."""
    backend.freeze(unit)
    try:
        yield
    finally:
        backend.thaw(unit)
        heal()


def _says_which_service() -> None:
    alive = at_service("/health")
    require(
        alive.status_code == 200 and alive.json() == ALIVE,
        "GET /health",
        expected=f"200 and {json.dumps(ALIVE)}",
        saw=said(alive),
        means='`health` must return `Health(service="profile")`: a person who looks for a fault reads there'
        " which service answers.",
    )


def _alive_at_once(when: str, means: str) -> None:
    did = f"GET /health {when}"
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
        lambda: at_service("/ready").status_code == 200,
        within=10,
        what="/ready to be 200 again by itself",
        means="`ready` goes on answering 503 although PostgreSQL answers again. It must query PostgreSQL"
        " at each call.",
    )
