"""The collector closes connections that send nothing, and too many from one address."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import uvicorn
from support import eventually

from lab.classroom import limits
from lab.classroom.board import Board
from lab.classroom.collector import Collector
from lab.classroom.limits import ImpatientProtocol
from lab.classroom.listen import _socket
from lab.classroom.members import Members


@contextmanager
def impatient() -> Iterator[int]:
    """Serve a collector as `listen` does, in a thread; yield its port."""
    with _socket("127.0.0.1", 0) as opened:
        app = Collector(Members(Board())).app
        config = uvicorn.Config(app, http=ImpatientProtocol, log_config=None, access_log=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]}, daemon=True)
        thread.start()
        eventually(lambda: server.started, within=10, what="the collector to listen")
        yield opened.getsockname()[1]
        server.should_exit = True
        thread.join(10)


@pytest.mark.parametrize("begin", [b"", b"GET / HT", b"PUT /members/1 HTTP/1.1\r\nContent-Le"])
def test_a_connection_without_a_request_is_closed(begin: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HEAD_SECONDS", 0.3)
    with impatient() as port, socket.create_connection(("127.0.0.1", port), timeout=20) as idle:
        idle.sendall(begin)
        began = time.monotonic()
        assert idle.recv(100) == b""  # closed by the collector
        assert time.monotonic() - began > 0.2
        with socket.create_connection(("127.0.0.1", port), timeout=20) as asking:
            asking.sendall(b"GET / HTTP/1.1\r\nHost: class\r\n\r\n")
            assert asking.recv(100).startswith(b"HTTP/1.1 403")


def test_one_address_cannot_take_all_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "UNLIMITED", ("::1",))
    monkeypatch.setattr(limits, "MOST_CONNECTIONS", 3)
    with impatient() as port, ExitStack() as held:
        mine = [
            held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20)) for _ in range(5)
        ]
        for beyond in mine[3:]:
            assert beyond.recv(100) == b""
        mine[0].sendall(b"GET / HTTP/1.1\r\nHost: class\r\n\r\n")
        assert mine[0].recv(100).startswith(b"HTTP/1.1 403")
