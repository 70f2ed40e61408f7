"""Run the collector, or the page of a shared folder, until Ctrl-C."""

import ipaddress
import json
import os
import secrets
import signal
import socket
import sys
import webbrowser
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import uvicorn

from lab.classroom.collector import Collector, page_app
from lab.classroom.folder import Folder
from lab.classroom.limits import ImpatientProtocol
from lab.classroom.members import Members
from lab.errors import LabError
from lab.home import Home
from lab.probes import local_http
from lab.terminal import Console

PORT = 8780
MOST_AT_ONCE = 200
ANSWER_SECONDS = 3.0
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Running:
    """Where a page is: its address with the key, and how learners join."""

    page: str
    joining: str = ""


def files(home: Home) -> tuple[Path, Path]:
    """Return the file with the class, and the file with the address of a running collector."""
    return home.root / "class-members.json", home.root / "class-listening.json"


def listen(home: Home, console: Console, address: str, port: int, *, fresh: bool, browser: bool) -> None:
    """Run the collector. Raises LabError when the address cannot be used."""
    kept, listening = files(home)
    home.root.mkdir(parents=True, exist_ok=True)
    members = Members.load(kept)
    if fresh:
        members = Members(type(members.board)())
    with _socket(address, port) as opened:
        port = opened.getsockname()[1]
        host = reached_at(address)
        joining = f"./lab class join {host}:{port} {members.code} --name NAME"
        running = Running(f"http://{_for_browser(address)}:{port}/?key={members.key}", joining)
        listening.write_text(json.dumps(running.__dict__), encoding="utf-8")
        listening.chmod(0o600)
        console.print(f"Learners type:  {joining}", soft_wrap=True)
        console.print(f"Your page:      {running.page}", soft_wrap=True)
        console.print(
            f"{len(members.board.people)} people are known from before."
            if members.board.people
            else "Nobody has joined yet."
        )
        console.print("Ctrl-C stops the collector. What it knows stays, and the same code works again.")
        if host == LOOPBACK and not _is_any(address):
            console.print("Only this machine can reach it. For a class: ./lab class listen --address 0.0.0.0")
        if browser:
            webbrowser.open(running.page)
        try:
            serve(Collector(members, kept, joining).app, opened)
        finally:
            listening.unlink(missing_ok=True)


def show_folder(folder: Path, console: Console, port: int, *, browser: bool) -> None:
    """Show the page of a shared folder on loopback. Raises LabError."""
    if not folder.is_dir():
        raise LabError(
            f"{folder} is not a folder. Name the folder into which the class writes:"
            " ./lab class overview FOLDER"
        )
    key = secrets.token_urlsafe(16)
    with _socket(LOOPBACK, port) as opened:
        url = f"http://{LOOPBACK}:{opened.getsockname()[1]}/?key={key}"
        console.print(f"Your page: {url}", soft_wrap=True)
        console.print("Ctrl-C stops it.")
        if browser:
            webbrowser.open(url)
        source = Folder(folder)
        serve(page_app(source.board, lambda given: secrets.compare_digest(given.encode(), key.encode()),
                       f"./lab class join {folder} --name NAME"), opened)  # fmt: skip


def running(home: Home) -> Running:
    """Return where the collector of this home is. Raises LabError when none runs."""
    try:
        found = Running(**json.loads(files(home)[1].read_text(encoding="utf-8")))
        local_http.get(found.page, timeout=ANSWER_SECONDS)  # a killed collector has left its file behind
        return found
    except (OSError, ValueError, TypeError, httpx.HTTPError) as error:
        raise LabError(
            "No collector runs here. Start one: ./lab class listen. Or show a shared folder:"
            " ./lab class overview FOLDER"
        ) from error


def serve(app: Any, opened: socket.socket) -> None:
    """Serve an app on an open socket until SIGINT or SIGTERM."""
    config = uvicorn.Config(
        app, http=ImpatientProtocol, access_log=False, log_config=None, server_header=False,
        proxy_headers=False, limit_concurrency=MOST_AT_ONCE, timeout_keep_alive=5, ws="none",
        timeout_graceful_shutdown=2,
    )  # fmt: skip
    # uvicorn sends itself the signal again when it has shut down; the command must still clean up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[opened])


def _socket(address: str, port: int) -> socket.socket:
    """Return a listening socket. Raises LabError."""
    try:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        made = socket.socket(family)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise LabError(
            f"{address}:{port} cannot be used: {why}. Choose another port or an address of this machine:"
            " ./lab class listen --address ADDRESS --port PORT"
        ) from error
    return made


def _for_browser(address: str) -> str:
    """Return the address at which a browser on this machine finds the page."""
    if _is_any(address):
        return LOOPBACK
    return f"[{address}]" if ":" in address else address


def reached_at(address: str) -> str:
    """Return the address that learners type. For 0.0.0.0 it is the one that leads to other machines."""
    if not _is_any(address):
        return f"[{address}]" if ":" in address else address
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing; it only selects the interface
            return str(probe.getsockname()[0])
        except OSError:  # a network without a way to others, such as a switch in a room
            return _of_an_interface() or LOOPBACK


def _of_an_interface() -> str:
    """Return the first IPv4 address of this machine beside loopback; '' when there is none."""
    found = [address for each in psutil.net_if_addrs().values() for address in each]
    ours = [ipaddress.ip_address(each.address) for each in found if each.family == socket.AF_INET]
    return next((str(each) for each in ours if not each.is_loopback), "")


def _is_any(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_unspecified
    except ValueError:
        return False
