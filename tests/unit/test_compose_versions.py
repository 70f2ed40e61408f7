"""Both backends run the same version of each server, with the same options; one file names the versions."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.backends.compose import overlays
from lab.backends.compose.limits import memory_limit
from lab.backends.native import postgresql, processes
from lab.home import DEPLOYMENT, RECIPES, REPO, Home
from lab.install.pins import pins
from lab.install.servers import ServerPaths

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((REPO / "docker-compose.yml").read_text())["services"]
ADDRESSES = {
    f"{kind}_{unit}": "127.0.0.1" if kind == "HOST" else "1"
    for kind in ("HOST", "PORT")
    for unit in ("POSTGRESQL", "MONGODB", "REDIS", "CONSUL")
}
OWN_TO_ONE = {
    # Addresses, folders and what the other backend has by default.
    "postgresql": {"-D", "-h", "-p", "unix_socket_directories="},
    "mongodb": {"--dbpath", "--bind_ip", "--port", "--nounixsocket", "--bind_ip_all"},
    "redis": {"--bind", "--port", "--dir", "--protected-mode"},
}


def version(image: str) -> str:
    found = re.search(r":v?(\d+(\.\d+)+)", image)
    assert found, f"{image} names no full version"
    return found[1]


def test_the_compose_file_and_the_dockerfile_name_the_pinned_images() -> None:
    used = {name: service["image"] for name, service in SERVICES.items() if "build" not in service}
    bases = re.findall(r"^FROM (\S+:\S+)", (DEPLOYMENT / "Dockerfile").read_text(), re.M)
    assert used | {"python": bases[0]} == pins().images
    assert len(set(bases)) == 1


@pytest.mark.parametrize("name", sorted(pins().images))
def test_every_tag_is_a_patch_version(name: str) -> None:
    # PostgreSQL has had two numbers since version 10: the second one is the patch.
    assert version(pins().images[name]).count(".") == (1 if name == "postgresql" else 2)


def test_what_the_native_backend_fetches_is_the_version_of_the_image() -> None:
    found = pins()
    assert found.kafka == version(found.images["kafka"])
    assert found.go["consul"].version == f"v{version(found.images['consul'])}"
    assert found.wheels["traefik"].version == version(found.images["traefik"])
    assert found.debian["postgresql"] == f"postgresql-{version(found.images['postgresql']).split('.')[0]}"
    pom = (RECIPES / "kafka" / "pom.xml").read_text()
    assert f"<kafka.version>{found.kafka}</kafka.version>" in pom
    assert f"kafka_2.13-{found.kafka}.jar" in (RECIPES / "kafka" / "jars.sha256").read_text()


def test_the_page_on_versions_names_each_image() -> None:
    page = (REPO / "docs" / "versions.md").read_text()
    assert [image for image in pins().images.values() if f"`{image}`" not in page] == []


def options(unit: str, words: list[str]) -> set[tuple[str, ...]]:
    """Return each option with its values, without those that are only about where the backend runs it."""
    first = next(index for index, word in enumerate(words) if word.startswith("-"))
    found: list[list[str]] = []
    for word in words[first:]:
        if re.match("--?[a-zA-Z]", word):
            found.append([word])
        else:
            found[-1].append(word)
    return {tuple(option) for option in found if not OWN_TO_ONE[unit] & set(option)}


@pytest.mark.parametrize("unit", sorted(OWN_TO_ONE))
def test_both_backends_give_a_server_the_same_options(unit: str, tmp_path: Path) -> None:
    home, nowhere = Home(tmp_path), Path("/nowhere")
    paths = ServerPaths(*(nowhere,) * 5, None, *(nowhere,) * 3)
    native = processes.commands(home, paths, ADDRESSES)[unit]
    native = native[next(i for i, word in enumerate(native) if word.startswith("/nowhere")) :]
    assert options(unit, native) == options(unit, SERVICES[unit]["command"])


def test_both_backends_make_the_same_cluster() -> None:
    assert SERVICES["postgresql"]["environment"]["POSTGRES_INITDB_ARGS"].split() == [*postgresql.LOCALE]


def test_redis_is_full_long_before_its_limit() -> None:
    """While its log is rewritten, all of its data may exist twice."""
    words = SERVICES["redis"]["command"]
    full = int(words[words.index("--maxmemory") + 1].removesuffix("mb"))
    assert 2 * full + 16 <= int(SERVICES["redis"]["mem_limit"].removesuffix("m"))


def test_nothing_waits_for_a_health_check_and_each_has_time_to_start() -> None:
    """Checks are rare, so that they cost little: a chain of them would make the start slow."""
    waited = {
        (name, need)
        for name, service in SERVICES.items()
        for need, how in dict(
            service["depends_on"] if isinstance(service.get("depends_on"), dict) else {}
        ).items()
        if how["condition"] == "service_healthy"
    }
    assert waited == set()
    for name, service in SERVICES.items():
        if name != "provision":
            check = service["healthcheck"]
            assert (check["start_period"], check["interval"]) == ("60s", "10s"), name
            assert "start_interval" not in check, f"{name}: Compose refuses it where the engine is below 25"


@pytest.mark.parametrize("name", ["mongosh", "consul", "traefik", "pip", "java"])
def test_no_health_check_starts_a_large_program(name: str) -> None:
    assert [unit for unit, service in SERVICES.items()
            if service.get("healthcheck", {}).get("test", ["", ""])[1] == name] == []  # fmt: skip


def peak_and_limit(table: str, name: str) -> tuple[int, str]:
    """Return the peak in MiB, and the limit as Compose reads it, from the row of a container."""
    row = next((line for line in table.splitlines() if line.startswith(f"| `{name}` |")), "")
    assert row, name
    _, _, peak, limit, *_ = row.split("|")
    return int(peak), f"{limit.strip()}m"


def test_every_limit_is_in_the_table_with_its_margin_and_the_sum_is_bounded() -> None:
    table = (REPO / "docs" / "memory.md").read_text()
    assert "at least 15 % above the measured peak" in table
    for name, service in SERVICES.items():
        if name != "provision":
            peak, limit = peak_and_limit(table, name)
            assert limit == service["mem_limit"], name
            assert 1.15 * peak <= int(limit.removesuffix("m")), name
    assert f"**{memory_limit()} MiB**" in table
    assert memory_limit() * 2**20 <= 2.2e9


def test_every_limit_of_an_option_is_in_the_table() -> None:
    _, _, table = (REPO / "docs" / "memory.md").read_text().partition("--with observability")
    overlay = yaml.safe_load((overlays.OVERLAYS / "observability.yaml").read_text())["services"]
    limits = {name: service["mem_limit"] for name, service in overlay.items() if "mem_limit" in service}
    assert {"metrics", "traces", "alerts"} < set(limits)
    for name, limit in limits.items():
        peak, most = peak_and_limit(table, name)
        assert most == limit, name
        assert 1.15 * peak <= int(most.removesuffix("m")), name
    assert f"**{memory_limit(['observability'])} MiB**" in table
