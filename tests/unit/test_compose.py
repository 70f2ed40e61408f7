"""The Compose file is valid, whole, and keeps to loopback (its units are those of the native backend)."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.backend import UNITS
from lab.compose.limits import memory_limit
from lab.compose.network import Addresses
from lab.home import REPO, SETTINGS

COMPOSE: dict[str, Any] = yaml.safe_load((REPO / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def test_same_units_as_the_native_backend() -> None:
    assert set(SERVICES) == {*UNITS, "provision", "jupyterlab"}


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_bounded_and_pinned(name: str) -> None:
    service = SERVICES[name]
    assert service["mem_limit"]
    assert service["restart"]
    assert ":" in service["image"]
    assert "latest" not in service["image"]
    assert all(port.startswith("127.0.0.1:${LAB_PORT_") for port in service.get("ports", []))


def test_memory_fits_two_gigabytes() -> None:
    assert 1000 < memory_limit() <= 2000


def test_this_machine_has_the_address_that_checks_listen_on() -> None:
    network = COMPOSE["networks"]["default"]["ipam"]["config"][0]
    assert network["gateway"].replace("${LAB_NETWORK:-172.30.41}", "172.30.41") == Addresses({}).bridge()


def test_dependencies_and_settings_exist() -> None:
    for service in SERVICES.values():
        assert set(service.get("depends_on", {})) <= set(SERVICES)
        files = service.get("env_file", [])
        for file in [files] if isinstance(files, str) else files:
            # What need not exist are the settings on top, of labs and of their tests.
            assert file["required"] is False if isinstance(file, dict) else (REPO / file).exists()


def test_every_setting_is_described() -> None:
    table = (REPO / "docs" / "settings.md").read_text()
    for file in sorted(Path(SETTINGS).glob("*.env")):
        if file.stem in ("kafka", "traefik"):
            continue  # the servers' own variables, described by their makers
        for line in file.read_text().splitlines():
            if line and not line.startswith("#"):
                assert f"`{line.partition('=')[0]}`" in table, f"{file.name}: {line}"
