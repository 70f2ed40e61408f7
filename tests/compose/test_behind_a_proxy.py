"""A company's network: all downloads pass a proxy, which replaces their certificates.

The proxy here hands on what it gets, encrypted as it is. The signing is this machine's own, where it has
one (its certificates then lie in /usr/local/share/ca-certificates): a base image that does not know them is
what a company's network sees. Without them the proxy alone is tried.
"""

import select
import shutil
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from compose.images import CERTIFICATES
from compose.stack import Stack

from lab.home import REPO

pytestmark = pytest.mark.campaign
PYTHON = next(line.split()[1] for line in (REPO / "platform/deployment/Dockerfile").read_text().splitlines()
              if line.startswith("FROM python"))  # fmt: skip
KEPT = "civildiy-test-python:kept"
OURS = REPO / "certificates"
IDLE_SECONDS = 60


class Proxy(socketserver.ThreadingTCPServer):
    """A forward proxy: CONNECT for anything encrypted, whole addresses in requests for all else."""

    daemon_threads = allow_reuse_address = True

    def __init__(self, host: str) -> None:
        self.asked: list[str] = []
        super().__init__((host, 0), Hand)


class Hand(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Proxy)
        method, target, version = self.rfile.readline().decode().split()
        head = b"".join(iter(self.rfile.readline, b"\r\n"))
        place = target if method == "CONNECT" else target.split("/")[2]
        host, _, port = place.partition(":")
        self.server.asked.append(f"{method} {host}")
        with socket.create_connection((host, int(port or 80)), 20) as other:
            if method == "CONNECT":
                self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:  # one request for each connection, so that the next one may go to another host
                head = b"".join(x for x in head.splitlines(True) if not x.lower().startswith(b"connection:"))
                path = "/" + target.split("/", 3)[3]
                line = f"{method} {path} {version}\r\nConnection: close\r\n".encode()
                other.sendall(line + head + b"\r\n")
            pump(self.connection, other)


def pump(one: socket.socket, other: socket.socket) -> None:
    """Hand on bytes in both directions until one side ends."""
    while ready := select.select([one, other], [], [], IDLE_SECONDS)[0]:
        for source in ready:
            if not (data := source.recv(65536)):
                return
            (other if source is one else one).sendall(data)


@contextmanager
def proxy(host: str) -> Iterator[Proxy]:
    with Proxy(host) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def strangers_base(on_compose: Stack, tmp_path: Path) -> Iterator[None]:
    """Python's image without the certificates that this machine's stand-in has."""
    on_compose.run("docker", "tag", PYTHON, KEPT)
    forget = f"rm -f {CERTIFICATES}/*.crt && update-ca-certificates --fresh"
    (tmp_path / "Dockerfile").write_text(f"FROM {KEPT}\nRUN {forget}\n")
    on_compose.run("docker", "build", "-t", PYTHON, tmp_path)
    yield
    on_compose.run("docker", "tag", KEPT, PYTHON)
    on_compose.run("docker", "rmi", KEPT)


@pytest.fixture
def certificates() -> Iterator[list[Path]]:
    """Put this machine's own certificates into the project's folder while the test runs."""
    copies = [OURS / f"test-{found.name}" for found in sorted(CERTIFICATES.glob("*.crt"))]
    yield copies
    for copy in copies:
        copy.unlink(missing_ok=True)


def test_build(on_compose: Stack, strangers_base: None, certificates: list[Path]) -> None:
    bridge = on_compose.run("docker", "network", "inspect", "bridge", "--format",
                            "{{(index .IPAM.Config 0).Gateway}}").strip()  # fmt: skip
    with proxy(bridge) as passed:
        address = f"http://{bridge}:{passed.server_address[1]}"
        build = ["env", f"HTTP_PROXY={address}", f"HTTPS_PROXY={address}",
                 "docker", "compose", "build", "--no-cache", "auth"]  # fmt: skip
        if certificates:
            assert "CERTIFICATE_VERIFY_FAILED" in on_compose.run(*build, code=1)
        for copy in certificates:
            shutil.copy(CERTIFICATES / copy.name.removeprefix("test-"), copy)
        on_compose.run(*build)
    hosts = {said.split()[1] for said in passed.asked}
    assert len(hosts) > 1, passed.asked  # those of apt-get and those of pip
    # The address of the proxy does not stay in the image.
    image = on_compose.run("docker", "image", "inspect", "--format", "{{.Config.Env}}", "civildiy-lab:local")
    assert bridge not in image
