"""An error about a taken port names the process that holds it and the variable that changes it."""

import os
import socket

import pytest

from lab.backends.native import network
from lab.errors import LabError
from lab.install.archive import free_port


def test_taken_port_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        number = free_port()
        taken.bind((network.host("redis"), number))
        taken.listen()
        monkeypatch.setenv("LAB_PORT_REDIS", str(number))
        with pytest.raises(LabError) as refused:
            network.refuse_taken_ports()
    text = str(refused.value)
    assert f"{network.host('redis')}:{number}" in text
    assert f"pid {os.getpid()}" in text
    assert "LAB_PORT_REDIS" in text


@pytest.mark.parametrize("value", ["x", "0", "70000", "-1"])
def test_a_port_must_be_a_port(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("LAB_PORT_KAFKA", value)
    with pytest.raises(LabError, match="LAB_PORT_KAFKA"):
        network.port("kafka")


def test_without_the_right_to_port_80_the_gateway_is_on_8000(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_PORT_HTTP", raising=False)
    monkeypatch.setattr(network, "_may_bind", lambda number: number >= 1024)
    assert network.endpoints()["gateway"] == "http://127.0.0.1:8000"
    assert network.variables()["LISTEN_GATEWAY"] == "127.0.0.1:8000"


def test_who_holds_the_port_of_another_address_is_not_named() -> None:
    with socket.create_server((network.host("auth"), 0)) as held:
        number = held.getsockname()[1]
        assert f"pid {os.getpid()}" in network.holder(network.host("auth"), number)
        assert network.holder(network.host("profile"), number) == ""
