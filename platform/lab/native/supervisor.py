"""process-compose, asked over its socket."""

import socket
from pathlib import Path
from typing import Any

import httpx

from lab import plain
from lab.backend import SECOND, UNITS
from lab.errors import LabError
from lab.readiness import slow


class Supervisor:
    """The supervisor behind one Unix socket."""

    def __init__(self, path: Path) -> None:
        self.socket = path

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

    def ask(self, method: str, path: str, timeout: float = 10) -> httpx.Response:
        """Its answer. Raises httpx.HTTPError."""
        # First by hand: httpx leaves its socket open when nobody listens.
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.socket))
            except OSError as error:
                raise httpx.ConnectError(f"no supervisor: {error}") from error
        transport = httpx.HTTPTransport(uds=str(self.socket), verify=plain.NO_TLS)
        with plain.client(transport=transport, timeout=timeout * slow()) as client:
            return client.request(method, f"http://supervisor{path}")

    def order(self, method: str, path: str, unit: str) -> None:
        """Have something done to a unit. Raises LabError when it is refused."""
        if unit not in (*UNITS, *SECOND):
            raise LabError(f"There is no unit {unit}. Units: {', '.join(UNITS)}.")
        try:
            answer = self.ask(method, path, timeout=40)
        except httpx.HTTPError as error:
            raise LabError("The system is not running. Start it: ./lab up") from error
        if not answer.is_success:
            raise LabError(f"{unit}: the supervisor refused: {answer.text.strip()}")
