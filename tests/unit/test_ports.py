"""Ports and addresses are checked together, before anything starts, on both backends."""

import pytest

from lab.backends.compose.network import Addresses
from lab.backends.native import network
from lab.errors import LabError
from lab.ports import Listener, parse, refuse_conflicts


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*network.PORTS, "jupyter"]:
        monkeypatch.delenv(f"LAB_PORT_{name.upper()}", raising=False)
    monkeypatch.setattr(network, "BASE", "127.0.0")


@pytest.mark.parametrize(
    "value", ["0", "65536", "-1", "x", "80 ", "8_0", "1e3", "٨٠", "²", "0x50", "123456", "[b]"]
)
def test_what_is_no_port(value: str) -> None:
    with pytest.raises(LabError, match="is not a port; set it to a number from 1 to 65535"):
        parse("LAB_PORT_HTTP", value, 80)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"HTTP": "8080"}, ("the gateway", "dashboard", "LAB_PORT_HTTP", "127.0.0.1:8080")),
        ({"CONSUL": "80", "HTTP": "80"}, ("consul", "the gateway", "LAB_PORT_CONSUL")),
        ({"KAFKA": "65535"}, ("65536", "does not exist", "LAB_PORT_KAFKA")),
    ],
)
def test_conflicts_of_the_native_backend(
    variables: dict[str, str], said: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"LAB_PORT_{name}", value)
    with pytest.raises(LabError) as refused:
        network.refuse_wrong_settings()
    for words in said:
        assert words in str(refused.value)


@pytest.mark.parametrize(
    "base", ["10.0.0", "127.0", "127.0.0.1", "127.0.256", "127.00.1", "::1", "localhost", "a.b.c"]
)
def test_wrong_loopback(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "BASE", base)
    with pytest.raises(LabError, match="LAB_LOOPBACK"):
        network.refuse_wrong_settings()


def test_ports_as_they_are_by_default_fit() -> None:
    network.refuse_wrong_settings()
    for reach in ("network", "published"):
        Addresses({"LAB_REACH": reach}).refuse_wrong_settings()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"LAB_PORT_HTTP": "8080"}, "dashboard both need 127.0.0.1:8080"),
        ({"LAB_PORT_JUPYTER": "8500"}, "LAB_PORT_JUPYTER"),
        ({"LAB_PORT_AUTH": "6379", "LAB_REACH": "published"}, "LAB_PORT_AUTH"),
        ({"LAB_PORT_CONSUL": "70000"}, "is not a port"),
        ({"LAB_NETWORK": "8.8.8"}, "not a private network"),
        ({"LAB_NETWORK": "127.0.0"}, "not a private network"),
        ({"LAB_NETWORK": "172.30.41.0/24"}, "LAB_NETWORK"),
        ({"LAB_REACH": "Published"}, "LAB_REACH=Published is not a way to reach containers"),
    ],
)
def test_conflicts_of_compose(settings: dict[str, str], said: str) -> None:
    with pytest.raises(LabError, match=said):
        Addresses(settings).refuse_wrong_settings()


def test_the_same_port_on_two_addresses_is_no_conflict() -> None:
    refuse_conflicts([Listener("auth", "127.0.0.11", 5000, "A"), Listener("posts", "127.0.0.13", 5000, "A")])
