"""An engine that cannot run the system is refused in one line that says what to do."""

import socket
from pathlib import Path

import pytest

from lab.backends.compose import containers, engine
from lab.backends.compose.engine import Seen
from lab.backends.compose.network import Addresses
from lab.backends.inside import InsideBackend
from lab.errors import LabError
from lab.home import Home


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (Seen("19.03.8", "2.40.3", 8 * 10**9), ("19.03.8", "20.10")),
        (Seen("28.5.2", "", 8 * 10**9), ("`docker compose` is missing", "2.24")),
        (Seen("28.5.2", "2.17.0", 8 * 10**9), ("2.17.0", "2.24")),
        (Seen("28.5.2", "v2.40.3", 10**9), ("1.0 GB", "2 GB")),
    ],
)
def test_unfit_engine(seen: Seen, said: tuple[str, ...]) -> None:
    with pytest.raises(LabError) as refused:
        engine.refuse_unfit(seen)
    assert all(word in str(refused.value) for word in said)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("version", ["20.10.24+dfsg1", "28.5.2", "29.0.0-rc.1"])
def test_fit_engine(version: str) -> None:
    engine.refuse_unfit(Seen(version, "v2.40.3-desktop.1", 2 * 10**9))


def test_no_docker_command(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not engine.answers()
    with pytest.raises(LabError, match="Install Docker"):
        engine.look()


def test_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        with pytest.raises(LabError) as refused:
            Addresses({"LAB_PORT_CONSUL": str(number)}).refuse_taken_ports()
    assert f"127.0.0.1:{number} (consul)" in str(refused.value)
    assert "LAB_PORT_CONSUL" in str(refused.value)


def test_a_port_must_be_a_port() -> None:
    with pytest.raises(LabError, match="LAB_PORT_HTTP=x"):
        Addresses({"LAB_PORT_HTTP": "x"}).endpoints()


def test_addresses_where_containers_are_in_a_virtual_machine() -> None:
    found = Addresses({"LAB_REACH": "published", "LAB_PORT_KAFKA": "9999"}).endpoints()
    assert found["kafka"] == "127.0.0.1:9999"
    assert found["posts"] == "http://127.0.0.1:5013"
    assert found["gateway"] == "http://127.0.0.1"


def test_inside_says_what_to_type_outside(tmp_path: Path) -> None:
    inside = InsideBackend(Home(tmp_path))
    assert inside.endpoints()["kafka"] == "kafka:9092"
    with pytest.raises(LabError, match=r"\./lab restart posts"):
        inside.restart("posts")


def test_containers_without_an_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")
    assert not engine.answers()
    assert [unit.state for unit in containers.look(("posts",))] == ["stopped"]
