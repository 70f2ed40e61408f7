"""The topology, and its agreement with docker-compose.yml and the code."""

import re
import sys
from typing import Any

import pytest
import yaml

from civildiy.__main__ import SERVICES, WORKERS
from civildiy.__main__ import TASKS as PROGRAM_TASKS
from lab import topology
from lab.backends.native import processes
from lab.faults.catalog import FAULTS
from lab.home import REPO
from lab.topology import BY_NAME, TASKS, UNITS

COMPOSE: dict[str, Any] = yaml.safe_load((REPO / "docker-compose.yml").read_text(encoding="utf-8"))
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]
GATEWAY_ROUTES_FIRST = {"traefik", "provision"}
"""With Compose a service counts as healthy only when the gateway routes to it and its database is set up."""


def test_compose_runs_the_same_units() -> None:
    assert set(CONTAINERS) == {*UNITS, *TASKS, "jupyterlab"}


@pytest.mark.parametrize("unit", topology.addresses())
def test_compose_gives_the_same_addresses(unit: str) -> None:
    if unit not in UNITS:  # a second instance: compose/more.yaml
        file = REPO / "platform/deployment/compose/more.yaml"
        containers = yaml.safe_load(file.read_text(encoding="utf-8"))["services"]
    else:
        containers = CONTAINERS
    given = containers[unit]["networks"]["default"]["ipv4_address"]
    assert given.rpartition(".")[2] == str(topology.addresses()[unit])


@pytest.mark.parametrize("name", [*UNITS, *TASKS])
def test_compose_starts_them_in_the_same_order(name: str) -> None:
    waits_for = set(CONTAINERS[name].get("depends_on", {}))
    assert set(topology.needs(name)) <= waits_for
    assert waits_for - set(topology.needs(name)) <= GATEWAY_ROUTES_FIRST


@pytest.mark.parametrize("service", topology.SERVICES)
def test_compose_asks_for_health_at_the_same_path(service: str) -> None:
    test = " ".join(CONTAINERS[service]["healthcheck"]["test"])
    assert f"/api/{topology.PATHS[service]}/health" in test


@pytest.mark.parametrize("server", ["consul", "traefik"])
def test_compose_asks_a_server_for_health_at_the_same_path(server: str) -> None:
    test = " ".join(CONTAINERS[server]["healthcheck"]["test"])
    assert f"{topology.health()[server]}" in test


def test_each_unit_that_answers_http_has_a_path_for_its_health() -> None:
    assert {*topology.health()} == {"consul", "traefik", *topology.SERVICES}


def test_compose_gives_the_set_up_the_password_of_each_database() -> None:
    given = {name for name in CONTAINERS["provision"]["environment"] if name.endswith("_DB_PASSWORD")}
    assert given == {topology.database_password(service) for service in topology.DATABASES}


def test_a_worker_reads_one_of_the_units_that_it_needs() -> None:
    for name in topology.WORKERS:
        assert BY_NAME[name].reads in BY_NAME[name].needs


def test_compose_publishes_the_same_ports() -> None:
    published = {
        variable.lower(): (unit, int(default))
        for unit, container in CONTAINERS.items()
        for port in container.get("ports", ())
        for variable, default in re.findall(r"\$\{LAB_PORT_(\w+):-(\d+)\}", port)
    }
    assert published == {name: (found.unit, found.port) for name, found in topology.PUBLISHED.items()}


def test_each_server_listens_where_its_clients_look() -> None:
    settings = "\n".join(
        file.read_text(encoding="utf-8") for file in (REPO / "platform/deployment/settings").glob("*.env")
    )
    for store in (*topology.STORES, "consul"):
        ports = set(re.findall(rf"\$\{{PORT_{store.upper()}:-(\d+)\}}", settings))
        assert ports == {str(topology.ports()[store])}


def test_all_services_listen_on_the_same_port() -> None:
    """Natively one variable, LAB_PORT_SERVICES, is the port of all services."""
    assert len({topology.ports()[service] for service in topology.SERVICES}) == 1


def test_the_program_knows_the_units_of_ours() -> None:
    assert {*SERVICES} == {*topology.SERVICES}
    assert {*WORKERS} == {*topology.WORKERS}
    assert {*PROGRAM_TASKS} == {*TASKS}


def test_each_own_fault_is_in_the_catalogue() -> None:
    own = {fault for unit in BY_NAME.values() for fault in unit.faults}
    assert own <= {fault.name for fault in FAULTS}
    assert all(fault.units for fault in FAULTS)


def test_needs_have_no_circle_and_no_stranger() -> None:
    done: set[str] = set()
    waiting = set(UNITS) | set(TASKS)
    while waiting:
        ready = {name for name in waiting if set(topology.needs(name)) <= done}
        assert ready, f"a circle, or a unit that does not exist, among {sorted(waiting)}"
        done |= ready
        waiting -= ready


def test_a_second_instance_needs_what_the_first_one_needs() -> None:
    assert processes.NEEDS["posts-2"] == processes.NEEDS["posts"]
    assert topology.first("feed-projector-2") == "feed-projector"


def test_only_one_place_lists_the_units() -> None:
    """A list of services or stores that is written out elsewhere is a second topology."""
    lists = re.compile(r'"auth",\s*"profile",\s*"posts",\s*"feed"|"postgresql",\s*"mongodb",\s*"redis"')
    allowed = {"tests/unit/test_topology.py"}
    found = {
        path.relative_to(REPO).as_posix()
        for folder in ("platform", "checks", "tests")
        for path in (REPO / folder).rglob("*.py")
        if "mutants" not in path.parts and lists.search(path.read_text(encoding="utf-8"))
    }
    assert found <= allowed, f"read lab.topology instead, on Python {sys.version_info[:2]}: {found - allowed}"


def test_each_health_check_of_ours_starts_a_program_that_is_there() -> None:
    """Our images hold the code at /app/civildiy; JupyterLab has it at /civildiy/platform/civildiy."""
    programs = {
        word
        for container in CONTAINERS.values()
        for word in container.get("healthcheck", {}).get("test", ())
        if word.endswith(".py")
    }
    assert programs
    for program in programs:
        inside = program.removeprefix("/app/").removeprefix("/civildiy/platform/")
        assert (REPO / "platform" / inside).is_file(), program
