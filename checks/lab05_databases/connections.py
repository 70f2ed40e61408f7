"""Connections are reused, and opened again when they are cut."""

import pytest
from grading.databases import at_once, connections_opened, postgresql
from grading.outcome import require
from grading.people import Person
from grading.plugin import check
from grading.system import ENDPOINTS, backend, eventually, http


@check(points=2)
@pytest.mark.disturbs
def test_connections_are_kept(ada: Person) -> None:
    """Sixty requests open a handful of connections"""
    ada.http.post("/api/profile", json={})
    login = {"email": ada.email, "password": ada.password}
    before = connections_opened()
    with http() as client:
        at_once(12, lambda n: [ada.http.get("/api/profile") for _ in range(5)])
        at_once(12, lambda n: [ada.http.get("/api/posts", params={"limit": 1}) for _ in range(5)])
        at_once(
            12, lambda n: [client.post(f"{ENDPOINTS['auth']}/api/auth/login", json=login) for _ in range(5)]
        )
    opened = {name: count - before[name] for name, count in connections_opened().items()}
    require(
        all(count <= 25 for count in opened.values()),
        "sixty requests to each of auth, profile and posts, twelve at a time",
        expected="at most 25 new connections to each database",
        saw=opened,
        means="Opening a connection is slower than the query itself, and PostgreSQL allows about a hundred."
        " Borrow one from the pool: `self._pool.connection()` in users.py, `self._session()` in"
        " profiles.py.",
    )


@check(points=2)
@pytest.mark.disturbs
def test_cut_connections_heal(ada: Person) -> None:
    """When all connections to PostgreSQL are cut, the services go on without a restart"""
    ada.http.post("/api/profile", json={})
    pids = {unit: backend.pid_of(unit) for unit in ("auth", "profile")}
    cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"  # noqa: E501
    for service in ("auth", "profile"):
        with postgresql(service) as connection:
            connection.execute(cut)
    login = {"email": ada.email, "password": ada.password}

    def healed() -> bool:
        with http() as client:
            entered = client.post(f"{ENDPOINTS['auth']}/api/auth/login", json=login).status_code
        return (entered, ada.http.get("/api/profile").status_code) == (200, 200)

    eventually(healed, within=5, what="auth and profile to answer after their connections were cut")
    new = [unit for unit, pid in pids.items() if backend.pid_of(unit) != pid]
    means = (
        "A connection that is kept for ever fails after it was cut. Borrow one from the pool for each"
        " request, which replaces broken ones: `self._pool.connection()` in users.py, `self._session()` in"
        " profiles.py."
    )
    require(not new, "cut all connections", expected="the same processes", saw=new, means=means)
