"""process-compose, asked over its socket."""

import os
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx

from lab import environment
from lab.errors import LabError
from lab.home import Home
from lab.probes import local_http
from lab.probes.readiness import slow
from lab.topology import SECONDS, UNITS

LONGEST_SOCKET = 107
"""Bytes that the kernel takes for the path of a Unix socket."""
START_SECONDS = 10


class Refused(LabError):
    """The unit is not in a state for what was ordered."""


class Supervisor:
    """The supervisor behind one Unix socket."""

    def __init__(self, path: Path) -> None:
        self.socket = path

    def start(self, program: Path, config: Path, home: Home) -> None:
        """Start it and wait until it answers. Raises LabError with its last words when it does not."""
        if (length := len(os.fsencode(self.socket))) > LONGEST_SOCKET:
            raise LabError(
                f"{self.socket} is {length} bytes long, and a socket may have {LONGEST_SOCKET}."
                "\nChoose a shorter place: LAB_HOME=… ./lab up"
            )
        self.socket.unlink(missing_ok=True)
        words = home.logs / "supervisor.log"
        own = {"COMPOSE_SHELL": "bash", "PC_LOG_FILE": str(home.logs / "process-compose.log"),
               "PC_DISABLE_DOTENV": "1"}  # fmt: skip
        with words.open("wb") as log:
            child = subprocess.Popen(
                [program, "-f", config, "-U", "-u", self.socket, "up", "--tui=false", "--keep-project"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, start_new_session=True,
                cwd=home.run, env=environment.own() | own,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS * slow()
        while not self.answers():
            if child.poll() is not None or time.monotonic() > deadline:
                tail = "\n".join(words.read_text(errors="replace").splitlines()[-8:])
                raise LabError(f"The supervisor does not start:\n{tail}\nLook: ./lab logs supervisor")
            time.sleep(0.02)

    def answers(self) -> bool:
        """Whether it runs."""
        try:
            return self.ask("GET", "/live").is_success
        except httpx.HTTPError:
            return False

    def states(self) -> dict[str, dict[str, Any]]:
        """What it says of each unit; empty while it does not answer."""
        try:
            return {p["name"]: p for p in self.ask("GET", "/processes").json()["data"]}
        except httpx.HTTPError:
            return {}

    def state(self, unit: str) -> dict[str, Any]:
        """What it says of one unit; empty when it does not answer or has no such unit.

        A thirtieth of the work of `states`: there it counts the memory of all processes.
        """
        try:
            answer = self.ask("GET", f"/process/{unit}")
        except httpx.HTTPError:
            return {}
        return dict(answer.json()) if answer.is_success else {}

    def ask(self, method: str, path: str, timeout: float = 10) -> httpx.Response:
        """Its answer. Raises httpx.HTTPError."""
        # First by hand: httpx leaves its socket open when nobody listens.
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.socket))
            except OSError as error:
                raise httpx.ConnectError(f"no supervisor: {error}") from error
        transport = httpx.HTTPTransport(uds=str(self.socket), verify=local_http.NO_TLS)
        with local_http.client(transport=transport, timeout=timeout * slow()) as client:
            return client.request(method, f"http://supervisor{path}")

    def order(self, method: str, path: str, unit: str) -> None:
        """Have something done to a unit. Raises Refused, or LabError when nobody is there."""
        if unit not in (*UNITS, *SECONDS):
            raise LabError(f"There is no unit {unit}. Units: {', '.join(UNITS)}.")
        try:
            answer = self.ask(method, path, timeout=40)
        except httpx.HTTPError as error:
            raise LabError("The system is not running. Start it: ./lab up") from error
        if not answer.is_success:
            raise Refused(f"{unit}: the supervisor refused: {answer.text.strip()}")
