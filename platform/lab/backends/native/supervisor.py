"""The supervisor process-compose, controlled over its Unix socket."""

import os
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx

from lab import environment
from lab.deadlines import slow
from lab.errors import LabError
from lab.home import Home
from lab.topology import OPTIONAL, SECONDS, UNITS

LONGEST_SOCKET = 107
"""The most bytes that the kernel accepts as the path of a Unix socket."""
START_SECONDS = 10
ANSWER_SECONDS = 10.0


class Refused(LabError):
    """Raised when a unit's state does not allow what was ordered."""


class Silent(LabError):
    """Raised when the supervisor runs and does not answer in time: nothing is known about its units."""


class Supervisor:
    """A supervisor that listens on a Unix socket."""

    def __init__(self, path: Path) -> None:
        self.socket = path

    def refuse_long_path(self) -> None:
        """Raise LabError when the kernel would refuse the socket's path."""
        if (length := len(os.fsencode(self.socket))) > LONGEST_SOCKET:
            raise LabError(
                f"{self.socket} is {length} bytes long, but the path of a socket may have {LONGEST_SOCKET}."
                "\nChoose a shorter folder: LAB_HOME=… ./lab up"
            )

    def start(self, program: Path, config: Path, home: Home) -> None:
        """Start the supervisor and wait until it answers. Raises LabError with the end of its log."""
        self.refuse_long_path()
        self.socket.unlink(missing_ok=True)
        errors = home.logs / "supervisor.log"
        own = {"COMPOSE_SHELL": "bash", "PC_LOG_FILE": str(home.logs / "process-compose.log"),
               "PC_DISABLE_DOTENV": "1"}  # fmt: skip
        with errors.open("wb") as log:
            child = subprocess.Popen(
                [program, "-f", config, "-U", "-u", self.socket, "up", "--tui=false", "--keep-project"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, start_new_session=True,
                cwd=home.run, env=environment.own() | own,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS * slow()
        while not self.answers():
            if child.poll() is not None or time.monotonic() > deadline:
                tail = "\n".join(errors.read_text(errors="replace").splitlines()[-8:])
                raise LabError(
                    f"The supervisor did not start:\n{tail}\nFind the cause: ./lab logs supervisor"
                )
            time.sleep(0.02)

    def answers(self) -> bool:
        """Return whether the supervisor runs. Raises Silent."""
        try:
            return self.ask("GET", "/live").is_success
        except httpx.HTTPError:
            return False

    def states(self) -> dict[str, dict[str, Any]]:
        """Return the state of all units; {} while there is no supervisor. Raises Silent."""
        try:
            return {p["name"]: p for p in self.ask("GET", "/processes").json()["data"]}
        except httpx.HTTPError:
            return {}

    def state(self, unit: str) -> dict[str, Any]:
        """Return the state of one unit; {} if there is no supervisor or no such unit. Raises Silent.

        This costs a thirtieth of `states`, for which the supervisor measures the memory of all processes.
        """
        try:
            answer = self.ask("GET", f"/process/{unit}")
        except httpx.HTTPError:
            return {}
        return dict(answer.json()) if answer.is_success else {}

    def ask(self, method: str, path: str, timeout: float | None = None) -> httpx.Response:
        """Send a request and return the answer within `timeout` seconds, by default ANSWER_SECONDS.

        Raises httpx.HTTPError when there is no supervisor or it ends, and Silent when it does not answer.
        A caller that took a silent supervisor for none would start a second system, or call running units
        stopped.
        """
        # Checked first, because httpx leaks its socket when nothing listens.
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.socket))
            except OSError as error:
                raise httpx.ConnectError(f"no supervisor: {error}") from error
        # Without a context of ours, httpx would load all certificates of the machine.
        no_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        transport = httpx.HTTPTransport(uds=str(self.socket), verify=no_tls)
        seconds = (timeout or ANSWER_SECONDS) * slow()
        try:
            with httpx.Client(transport=transport, trust_env=False, timeout=seconds) as client:
                return client.request(method, f"http://supervisor{path}")
        except httpx.TimeoutException as error:
            raise Silent(
                f"The supervisor runs, but did not answer within {seconds:.0f} s: the machine may be too"
                " busy. Repeat the command later, or end everything: ./lab down"
            ) from error

    def order(self, method: str, path: str, unit: str) -> None:
        """Order a change of a unit. Raises Refused, Silent, or LabError without a supervisor."""
        if unit not in (*UNITS, *SECONDS, *OPTIONAL):
            raise LabError(f"There is no unit {unit}. Units: {', '.join(UNITS)}.")
        try:
            answer = self.ask(method, path, timeout=40)
        except httpx.HTTPError as error:
            raise LabError("The system is not running. Start it: ./lab up") from error
        if not answer.is_success:
            raise Refused(f"The supervisor refused to change {unit}: {answer.text.strip()}")
