"""Taken ports are named with their holder and the variable that moves them."""

import os
import socket

import pytest

from lab.errors import LabError
from lab.install.archive import free_port
from lab.native import network


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
