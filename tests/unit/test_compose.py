"""The Compose file is valid and complete, and publishes only on loopback."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import topology
from lab.backends.compose import dotenv
from lab.backends.compose.limits import memory_limit
from lab.backends.compose.network import Addresses
from lab.backends.settings import SECRETS, read_pairs
from lab.course.exercise import exercises
from lab.home import REPO, SETTINGS
from lab.topology import STORES, UNITS

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


def test_memory_is_bounded() -> None:
    assert 1000 < memory_limit() * 2**20 / 1e6 <= 2200  # MB


@pytest.mark.parametrize("name", sorted(set(SERVICES) - set(STORES)))
def test_no_proxy_gets_into_whoever_asks_others(name: str) -> None:
    environment = SERVICES[name]["environment"]
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        assert environment[variable] == environment[variable.lower()] == ""


def test_the_shown_lines_make_secrets_and_keep_those_that_are_there(tmp_path: Path) -> None:
    page = (REPO / "docs" / "docker.md").read_text()
    lines = page[page.index("for name in GATEWAY_SECRET") : page.index("chmod 600 .env")]
    (tmp_path / ".env").write_text("AUTH_DB_PASSWORD=of-the-volume\nJUPYTER_TOKEN=\n")
    for _ in range(2):
        subprocess.run(["sh", "-ec", lines], cwd=tmp_path, check=True)
    found = read_pairs(tmp_path / ".env")
    assert found["AUTH_DB_PASSWORD"] == "of-the-volume"
    assert all(len(found[name]) == 48 for name in SECRETS if name != "AUTH_DB_PASSWORD")
    assert found["LAB_UID"].isdigit()
    assert (tmp_path / ".env").read_text().count("GATEWAY_SECRET=") == 1


def test_jupyterlab_comes_up_whatever_a_learner_wrote() -> None:
    """Else a service with an unfinished file, after `down` and `up`, would shut its author out."""
    learners = {unit for lab in exercises() for unit in lab.units}
    assert set(topology.SERVICES) <= learners
    assert not learners & set(SERVICES["jupyterlab"]["depends_on"])


def test_jupyterlab_is_whose_the_labs_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getuid", lambda: 4711)  # another user runs ./lab up, as root with sudo
    assert dotenv.owner()["LAB_UID"] == str((REPO / "labs").stat().st_uid)


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
        if file.stem in ("kafka", "traefik", "traefik-observability"):
            continue  # the servers' own variables, described by their makers
        for line in file.read_text().splitlines():
            if line and not line.startswith("#"):
                assert f"`{line.partition('=')[0]}`" in table, f"{file.name}: {line}"
