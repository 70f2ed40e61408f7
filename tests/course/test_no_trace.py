"""After the checks have ended, the system is as it was before: they take away what they put into it."""

from collections.abc import Mapping
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from pymongo import MongoClient
from support import ENDPOINTS, backend, home, until_healthy

from civildiy.chassis.clients.kafka import admin
from lab.course.exercise import Exercise, exercises
from lab.course.grading import grade
from lab.course.options import lacking
from lab.deadlines import slow
from lab.health.examine import problems
from lab.probes import local_http
from lab.probes.tools import Ran, run_tool

SECONDS = 60
LABS = [lab for lab in exercises() if not lacking(backend, lab)]
WITH_EVENTS = [lab for lab in LABS if lab.number in ("06", "07", "08")]
"""The checks of these labs write their own events, also late, doubled and broken ones."""
INTERNAL = ("admin", "config", "local")
"""MongoDB's own databases."""


def told(tool: str) -> Ran:
    return run_tool(backend, tool, within=SECONDS * slow())


def consul(path: str) -> Any:
    answer: httpx.Response = local_http.get(f"{ENDPOINTS['consul']}/v1/{path}", timeout=10 * slow())
    return answer.raise_for_status().json()


def postgresql(database: str, query: str) -> list[str]:
    host, _, port = ENDPOINTS["postgresql"].rpartition(":")
    password = backend.variables()["POSTGRES_SUPERUSER_PASSWORD"]
    info = make_conninfo(host=host, port=port, user="postgres", dbname=database, password=password)
    with psycopg.connect(info) as connection:
        return sorted(".".join(map(str, row)) for row in connection.execute(query))


def mongodb() -> list[str]:
    host, _, port = ENDPOINTS["mongodb"].rpartition(":")
    with MongoClient[dict[str, Any]](host, int(port), directConnection=True) as client:
        return sorted(
            f"{database}.{name}: {', '.join(sorted(client[database][name].index_information()))}"
            for database in client.list_database_names()
            if database not in INTERNAL
            for name in client[database].list_collection_names()
        )


def topics() -> list[str]:
    client = admin(ENDPOINTS["kafka"], request_timeout_ms=10_000, bootstrap_timeout_ms=10_000)
    try:
        return sorted(client.list_topics())
    finally:
        client.close()


def parts() -> Mapping[str, list[str]]:
    """Return the names of what the servers hold, by kind."""
    tables = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema = 'public'"
    databases = postgresql("postgres", "SELECT datname FROM pg_database WHERE NOT datistemplate")
    return {
        "entries in the catalog": sorted(consul("agent/services")),
        "checks in the catalog": sorted(consul("agent/checks")),
        "keys in Consul KV": sorted(consul("kv/?keys")),
        "roles": postgresql("postgres", "SELECT rolname FROM pg_roles"),
        "tables": [f"{name}.{table}" for name in databases for table in postgresql(name, tables)],
        "collections": mongodb(),
        "topics": topics(),
        "units": [unit.name for unit in backend.units()],
    }


@pytest.mark.campaign
@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.folder.name)
def test_a_check_leaves_nothing_in_the_system(lab: Exercise) -> None:
    until_healthy()
    before = parts()
    graded = grade(home, lab)
    assert graded.code == 0, graded.said
    after = parts()
    for kind, names in before.items():
        assert after[kind] == names, f"the {kind} have changed"
    assert problems(home, backend) == []


@pytest.mark.campaign
@pytest.mark.parametrize("lab", WITH_EVENTS, ids=lambda lab: lab.folder.name)
def test_verify_finds_nothing_after_a_check(lab: Exercise) -> None:
    assert told("feed-rebuild").code == 0
    graded = grade(home, lab)
    assert graded.code == 0, graded.said
    ran = told("feed-verify")
    assert (ran.code, ran.answer.get("findings")) == (0, []), ran.messages
