"""Look into the databases: query plans, sessions, and what a service does with an empty database."""

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg import sql
from pymongo import MongoClient

from grading.reach import environment
from grading.stack import ENDPOINTS, backend, home
from grading.system import eventually, missing
from lab.course.running import wait_until_loaded
from lab.probes import databases
from lab.probes.databases import POSTS as POSTS
from lab.probes.databases import Document as Document

T = TypeVar("T")


def at_once(count: int, act: Callable[[int], T]) -> list[T]:
    """Return the results of `act(0)` to `act(count - 1)`, which all start at the same moment."""
    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(act, range(count)))


def inserts_at_once(service: str, table: LiteralString, count: int, act: Callable[[int], T]) -> list[T]:
    """Return the same as `at_once`, but hold back every insert into `table` until three of them wait.

    So code that first checks and then writes has always checked before any other writes.
    """
    with postgresql(service) as holder, ThreadPoolExecutor(count) as threads:
        holder.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(sql.Identifier(table)))
        running = [threads.submit(act, number) for number in range(count)]
        # At most 1 s: other requests wait for a connection meanwhile, and give up after two seconds.
        deadline = time.monotonic() + 1
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = %s::regclass"
        while time.monotonic() < deadline:
            row = holder.execute(waiting, (table,)).fetchone()
            if row and row[0] >= 3:
                break
            time.sleep(0.01)
        holder.commit()
        return [future.result() for future in running]


@contextmanager
def locked(service: str, table: LiteralString) -> Iterator[None]:
    """Nobody else reads or writes `table`: PostgreSQL ends each statement that waits for too long."""
    with postgresql(service) as holder:
        lock = "LOCK TABLE {} IN ACCESS EXCLUSIVE MODE"
        holder.execute(sql.SQL(lock).format(sql.Identifier(table)))
        try:
            yield
        finally:
            holder.rollback()


def left_open(service: str) -> int:
    """Connections of the service whose transaction is open although no statement runs."""
    statement = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'"
    )
    with postgresql(service) as connection:
        found = connection.execute(statement).fetchone()
    return int(found[0]) if found else 0


@contextmanager
def mongodb() -> Iterator[MongoClient[Document]]:
    """Yield a client of the posts' MongoDB."""
    with databases.mongodb(ENDPOINTS["mongodb"]) as client:
        yield client


@contextmanager
def postgresql(service: str, database: str = "") -> Iterator[psycopg.Connection[Any]]:
    """Yield a connection with the role of `service`, to its own database or another one."""
    s = environment(service)
    host, _, port = ENDPOINTS["postgresql"].rpartition(":")
    with psycopg.connect(
        host=host, port=int(port), dbname=database or s["POSTGRES_DATABASE"],
        user=s["POSTGRES_USER"], password=s["POSTGRES_PASSWORD"], connect_timeout=5,
    ) as connection:  # fmt: skip
        yield connection


def posts_kept() -> int:
    """Return about how many posts there are, deleted ones included."""
    with mongodb() as client:
        return client[POSTS][POSTS].estimated_document_count()


def restart_process(unit: str) -> float:
    """Kill a service's process, wait until a new one serves, and return when that began (Unix seconds)."""
    before = _began(unit)
    backend.signal(unit, signal.SIGKILL)
    eventually(lambda: _began(unit) > before, within=20, what=f"{unit} to start again")
    eventually(lambda: not missing(), within=30, what=f"{unit} to be ready after its restart")
    return _began(unit)


def _began(unit: str) -> float:
    return wait_until_loaded(home, backend, unit)


TABLE_AWAY: tuple[LiteralString, ...] = (
    "CREATE SCHEMA kept",
    "ALTER TABLE users SET SCHEMA kept",
)
TABLE_BACK: tuple[LiteralString, ...] = (
    "DROP TABLE IF EXISTS public.users",
    "ALTER TABLE kept.users SET SCHEMA public",
    "DROP SCHEMA kept",
)


@contextmanager
def without_users() -> Iterator[None]:
    """Remove the table `users` from auth's database, and restore it afterwards."""
    backend.pid_of("auth")  # raises where auth may not be restarted; then the table is not touched either
    _put_back()  # an earlier run may have been killed before it restored the table
    with postgresql("auth") as connection:
        for statement in TABLE_AWAY:
            connection.execute(statement)
    try:
        yield
    finally:
        _put_back()


def _put_back() -> None:
    with postgresql("auth") as connection:  # one transaction: no other session sees a state in between
        row = connection.execute("SELECT to_regclass('kept.users')").fetchone()
        if row and row[0]:
            for statement in TABLE_BACK:
                connection.execute(statement)


def index_names() -> set[str]:
    """Return the names of the indexes of the posts, without the one that MongoDB creates itself."""
    with mongodb() as client:
        return databases.index_names(client)


def plans_of(value: object, act: Callable[[], object]) -> list[Document]:
    """Return what MongoDB's profiler recorded while `act` ran, of queries for posts that contain `value`."""
    with mongodb() as client:
        database = client[POSTS]
        database.command("profile", 0)
        database.drop_collection("system.profile")
        database.command("profile", 1, filter={"ns": f"{POSTS}.{POSTS}"})
        try:
            act()
        finally:
            database.command("profile", 0)
        entries = list(database["system.profile"].find({"op": {"$in": ["query", "command", "getmore"]}}))
        database.drop_collection("system.profile")
    return [entry for entry in entries if _holds(entry.get("command"), value)]


def _holds(document: object, value: object) -> bool:
    if isinstance(document, dict):
        return any(_holds(inner, value) for inner in document.values())
    if isinstance(document, list):
        return any(_holds(inner, value) for inner in document)
    return document == value


def connections_opened() -> dict[str, int]:
    """Return how many connections each database has accepted since its server started."""
    opened = {}
    with postgresql("auth") as connection:
        for name, count in connection.execute("SELECT datname, sessions FROM pg_stat_database"):
            if name in ("auth", "profile"):
                opened[str(name)] = int(count)
    with mongodb() as client:
        opened[POSTS] = int(client.admin.command("serverStatus")["connections"]["totalCreated"])
    return opened
