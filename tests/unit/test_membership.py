"""The client of Consul goes straight to it, and does not wait for ever."""

import socket
import time

import pytest
import requests

from civildiy.chassis.discovery.membership import CONSUL_SECONDS, consul_client


def test_no_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with socket.create_server(("127.0.0.1", 0)) as agent:
        host, port = agent.getsockname()
        client = consul_client(host, port)
        began = time.monotonic()
        # It takes the connection and says nothing, as a frozen agent does.
        with pytest.raises(requests.ReadTimeout):
            client.agent.services()
        assert CONSUL_SECONDS <= time.monotonic() - began < 2 * CONSUL_SECONDS
