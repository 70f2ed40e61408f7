"""How ./lab reaches containers, and which ports it publishes, follows from the engine."""

import socket
from pathlib import Path

import pytest
import yaml
from engines import recorded

from lab.backends.compose import dotenv, overlays, privileged
from lab.backends.compose.network import BEYOND, INSIDE, Addresses
from lab.errors import LabError, NotWithThisEngine


def addresses(name: str, **settings: str) -> Addresses:
    return Addresses(settings, lambda: recorded(name))


@pytest.fixture(autouse=True)
def kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    (tmp_path / "first").write_text("1024\n")
    monkeypatch.setattr(privileged, "FIRST_FREE", tmp_path / "first")
    return tmp_path / "first"


@pytest.mark.parametrize("name", ["docker-20.10", "docker-28", "docker-28-in-wsl", "podman-4.3"])
def test_containers_of_this_machine_are_reached_at_their_own_addresses(name: str) -> None:
    found = addresses(name)
    assert found.endpoint("kafka") == "172.30.41.24:9094"
    assert found.endpoints()["gateway"] == "http://127.0.0.1"
    assert found.bridge() == "172.30.41.1"
    assert found.moved() == {}


@pytest.mark.parametrize("name", ["desktop-wsl", "desktop-mac-arm64", "rancher-wsl", "colima-mac-arm64"])
def test_containers_of_a_virtual_machine_are_reached_on_loopback(name: str) -> None:
    found = addresses(name)
    assert found.endpoint("kafka") == "127.0.0.1:9094"
    with pytest.raises(NotWithThisEngine, match="cannot send requests to a program on this machine") as said:
        found.bridge()
    assert "JupyterLab" in said.value.next
    with pytest.raises(NotWithThisEngine, match="from one address"):
        found.neighbour()


@pytest.mark.parametrize("name", ["docker-28-rootless", "podman-4.3-rootless", "podman-5-rootless"])
def test_a_rootless_engine_publishes_on_8000(name: str, kernel: Path) -> None:
    found = addresses(name)
    assert found.endpoints()["gateway"] == "http://127.0.0.1:8000"
    assert found.moved() == {"LAB_PORT_HTTP": "8000"}
    assert found.endpoint("posts") == "127.0.0.1:5013"
    kernel.write_text("80\n")
    assert addresses(name).endpoints()["gateway"] == "http://127.0.0.1"


def test_a_port_given_by_hand_stays() -> None:
    found = addresses("docker-28-rootless", LAB_PORT_HTTP="9000")
    assert found.endpoints()["gateway"] == "http://127.0.0.1:9000"
    assert found.moved() == {}


@pytest.mark.parametrize(
    ("name", "system", "how"),
    [
        ("docker-28-rootless", "Linux", "sysctl net.ipv4.ip_unprivileged_port_start"),
        ("desktop-mac-arm64", "Darwin", "Allow privileged port mapping"),
    ],
)
def test_a_port_that_may_not_be_published_is_refused_before_the_start(
    name: str, system: str, how: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr(privileged, "HELPER", tmp_path / "missing.sock")
    # High ports that are free, so that only the low one is refused.
    high = {f"LAB_PORT_{port}": str(20000 + number) for number, port in enumerate(
        ("DASHBOARD", "CONSUL", "JUPYTER", "POSTGRESQL", "MONGODB", "REDIS", "KAFKA", "AUTH", "PROFILE",
         "POSTS", "FEED"))}  # fmt: skip
    with pytest.raises(LabError) as refused:
        addresses(name, LAB_PORT_HTTP="80", **high).refuse_taken_ports()
    (line,) = str(refused.value).splitlines()
    assert line.startswith("127.0.0.1:80 (http) is below 1024, and ")
    assert how in line


@pytest.mark.parametrize(("helper", "port"), [(True, 80), (False, 8000)])
def test_docker_desktop_on_macos_needs_its_helper_for_port_80(
    helper: bool, port: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    monkeypatch.setattr(privileged, "HELPER", tmp_path / "helper.sock")
    if helper:
        (tmp_path / "helper.sock").touch()
    assert addresses("desktop-mac-arm64").port("http") == port
    assert addresses("colima-mac-arm64").port("http") == 80


def test_the_owner_of_files_is_root_in_rootless_containers() -> None:
    assert dotenv.owner(rootless=True) == {"LAB_UID": "0", "LAB_GID": "0"}


def test_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        with pytest.raises(LabError) as refused:
            addresses("docker-28", LAB_PORT_CONSUL=str(number)).refuse_taken_ports()
    assert f"127.0.0.1:{number} (consul)" in str(refused.value)
    assert "LAB_PORT_CONSUL" in str(refused.value)


def test_a_port_must_be_a_port() -> None:
    with pytest.raises(LabError, match="LAB_PORT_HTTP=x"):
        Addresses({"LAB_PORT_HTTP": "x"}).endpoints()


def test_the_way_can_be_chosen_by_hand() -> None:
    found = addresses("docker-28", LAB_REACH="published", LAB_PORT_KAFKA="9999").endpoints()
    assert found["kafka"] == "127.0.0.1:9999"
    assert found["posts"] == "http://127.0.0.1:5013"
    assert found["gateway"] == "http://127.0.0.1"
    assert addresses("desktop-wsl", LAB_REACH="network").endpoint("redis") == "172.30.41.23:6379"


def test_second_instances_are_reached_as_well() -> None:
    assert addresses("desktop-wsl").endpoint("posts-2") == "127.0.0.1:5023"
    assert addresses("desktop-wsl", LAB_PORT_POSTS_2="6000").endpoint("posts-2") == "127.0.0.1:6000"
    assert addresses("docker-28").reach("posts-2") == "172.30.41.33"


def test_the_published_ports_are_those_of_the_compose_file() -> None:
    services = {
        name: service
        for file in overlays.PUBLISHED
        for name, service in yaml.safe_load(file.read_text())["services"].items()
    }
    assert set(services) == set(BEYOND)
    for name, service in services.items():
        (port,) = service["ports"]
        variable = f"LAB_PORT_{name.upper().replace('-', '_')}"
        inside = INSIDE[name.removesuffix("-2")]
        assert port == f"127.0.0.1:${{{variable}:-{BEYOND[name]}}}:{inside}"


@pytest.mark.parametrize(
    ("name", "quick"),
    [("docker-20.10", False), ("docker-25", True), ("docker-28", True), ("podman-5-rootless", False)],
)
def test_a_starting_container_is_checked_more_often_where_the_engine_can(name: str, quick: bool) -> None:
    """Compose refuses the whole file when the engine is too old for `start_interval`."""
    assert (overlays.QUICK in overlays.files(recorded(name), False)) is quick
    assert overlays.QUICK not in overlays.files(None, False)


def test_every_health_check_has_an_interval_for_the_start() -> None:
    services = yaml.safe_load(overlays.ALWAYS[0].read_text())["services"]
    checked = {name for name, service in services.items() if "healthcheck" in service}
    quick = yaml.safe_load(overlays.QUICK.read_text())["services"]
    assert quick == {name: {"healthcheck": {"start_interval": "2s"}} for name in checked}
