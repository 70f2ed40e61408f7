"""A site that offers Consul's archive in good and bad ways, and an installer that only lacks Consul."""

import hashlib
import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest

from lab.home import Home
from lab.install import recipes
from lab.install.command import Runner
from lab.install.pins import GoModule, pins
from lab.install.servers import Installer
from lab.progress import Progress
from lab.terminal import Console

PROGRAM = bytes(range(256)) * 8000


def packed(name: str = "consul") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("LICENSE.txt", "a licence")
        archive.writestr(name, PROGRAM)
    return file.getvalue()


ARCHIVE = packed()
Reply = Callable[[BaseHTTPRequestHandler, Event], None]


def whole(body: bytes) -> Reply:
    def reply(handler: BaseHTTPRequestHandler, _: Event) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return reply


def missing(handler: BaseHTTPRequestHandler, _: Event) -> None:
    handler.send_error(404)


def silent(_: BaseHTTPRequestHandler, end: Event) -> None:
    end.wait(60)


def part(then: Callable[[Event], object]) -> Reply:
    """Half of the archive, then whatever `then` does, then the connection ends."""

    def reply(handler: BaseHTTPRequestHandler, end: Event) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(ARCHIVE)))
        handler.end_headers()
        handler.wfile.write(ARCHIVE[: len(ARCHIVE) // 2])
        handler.wfile.flush()
        then(end)

    return reply


def trickle(handler: BaseHTTPRequestHandler, end: Event) -> None:
    handler.send_response(200)
    handler.end_headers()
    while not end.wait(0.05):
        handler.wfile.write(b"x" * 100)


@contextmanager
def site(reply: Reply) -> Iterator[str]:
    """Yield a server that answers with `reply`; gives the archive's address."""
    end = Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                reply(self, end)
            except OSError:
                """The installation hung up."""

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/consul_{{version}}.zip"
        finally:
            end.set()
            server.shutdown()
            thread.join()


def installer(folder: Path, monkeypatch: pytest.MonkeyPatch, archive: bytes = ARCHIVE) -> Installer:
    """Return an installer for which only Consul is missing, and whose build is fast."""

    def build(
        runner: Runner, name: str, module: GoModule, go: str, build: Path, target: Path, say: object,
        replacements: Path,
    ) -> None:  # fmt: skip
        (target / name).write_bytes(b"built")

    monkeypatch.setattr(recipes, "build_go", build)
    monkeypatch.setattr("lab.install.toolchain.on_path", lambda oldest: True)
    pinned = pins()
    pin = replace(pinned.archives["consul"], sha256=hashlib.sha256(archive).hexdigest())
    found = Installer(Home(folder), replace(pinned, debian={}, archives={"consul": pin}))
    for name in ("mongod", "traefik", "kafka", "kafka-archive", "process-compose"):
        found.folder(name).mkdir(parents=True)
    return found


def install(installer: Installer) -> tuple[bytes, str]:
    """Return what was installed as Consul, and the one line that says which way it came."""
    said = io.StringIO()
    installer.install(Progress(Console(file=said, width=400)))
    lines = (line.strip() for line in said.getvalue().splitlines() if "consul archive" in line)
    (line,) = (line for line in lines if "downloading" not in line)
    return (installer.folder("consul") / "consul").read_bytes(), line
