"""Ask a person for what only a terminal outside JupyterLab's container can do."""

import signal
import socket
import time
from collections.abc import Callable

import httpx

from lab import topology
from lab.backends.inside import PORTS, InsideBackend
from lab.backends.protocol import Unit
from lab.course import running
from lab.errors import LabError
from lab.probes import local_http
from lab.topology import PATHS, SECONDS, UNITS

ASK_SECONDS = 300.0
SSL_REQUEST = bytes.fromhex("0000000804d2162f")
"""PostgreSQL answers this with one byte, before a client has logged in."""
SIGNALS = {
    # After `docker compose kill` the engine would not start the container again.
    signal.SIGKILL: "restart --timeout 0",
    signal.SIGTERM: "restart",
    signal.SIGSTOP: "pause",
    signal.SIGCONT: "unpause",
}
"""The words for Docker that come to the same as a signal, and a start after it."""
MORE = "-f docker-compose.yml -f platform/deployment/compose/more.yaml"


class HandsOfAPerson(InsideBackend):
    """Prints the command to type, and waits until the system shows its effect.

    Process ids are not visible in this container. `pid` returns a number that changes with each start of a
    service, and 1 for a server that answers.
    """

    def units(self) -> list[Unit]:
        """Return all units that are visible from here; second instances only while they listen."""
        found = [Unit(name, "running" if (pid := self.pid_of(name)) else "stopped", pid, None, 0, None)
                 for name in (*UNITS, *SECONDS)]  # fmt: skip
        return [unit for unit in found if unit.name in UNITS or unit.pid]

    def pid_of(self, unit: str) -> int | None:
        """Return the number that the class describes; None while the unit does not run."""
        if not self._runs(unit):
            return None
        begun = [entry for entry in running.entries(self, unit) if entry["kind"] == "started"]
        return int(begun[-1]["time"] * 1000) if begun else 1

    def stop_unit(self, unit: str) -> None:
        """Ask for it, and wait."""
        self._ask(f"stop {unit}", unit, lambda: not self._runs(unit))

    def start_unit(self, unit: str) -> None:
        """Ask for it, and wait."""
        word = "up --detach --no-deps" if unit in SECONDS else "start"
        self._ask(f"{word} {unit}", unit, lambda: self._runs(unit))

    def signal(self, unit: str, number: int) -> None:
        """Ask for the command with the same effect, and wait."""
        before = self.pid_of(unit)
        done: dict[int, Callable[[], bool]] = {
            signal.SIGSTOP: lambda: not _answers(unit),
            signal.SIGCONT: lambda: _answers(unit),
        }

        def begun_anew() -> bool:
            return self.pid_of(unit) not in (None, before)

        word = SIGNALS[signal.Signals(number)]
        self._ask(f"{word} {unit}", unit, done.get(number, begun_anew))

    def _runs(self, unit: str) -> bool:
        if unit == "feed-projector":  # it listens nowhere; the feed says how it is
            try:
                stats = local_http.get("http://feed:5000/api/activity-stream/stats", timeout=5).json()
            except (httpx.HTTPError, ValueError):
                return False
            return bool(stats.get("consumer_state") == "running")
        if unit == "posts-relay":  # nobody can say, so what it said at its start must do
            return bool(running.entries(self, unit))
        return unit.removesuffix(topology.SECOND) in PORTS and self.listens(unit)

    def _ask(self, words: str, unit: str, done: Callable[[], bool]) -> None:
        command = f"docker compose {MORE + ' ' if unit in SECONDS else ''}{words}"
        print(f"In a terminal on your own machine, in the course's folder, type:  {command}", flush=True)
        deadline = time.monotonic() + ASK_SECONDS
        while not done():
            if time.monotonic() > deadline:
                waited = f"Waited {ASK_SECONDS:.0f} s for somebody to type it: {command}"
                raise LabError(f"{waited}\nRun the cell again.")
            time.sleep(0.1)


def _answers(unit: str) -> bool:
    if unit == "postgresql":
        return _postgresql_answers()
    if unit not in PATHS:
        raise LabError(f"Whether {unit} stands still cannot be seen from JupyterLab's container.")
    try:
        return local_http.get(f"http://{unit}:5000/health", timeout=1).is_success
    except httpx.HTTPError:
        return False


def _postgresql_answers() -> bool:
    """Tell whether PostgreSQL answers. A frozen server accepts the connection and sends nothing."""
    try:
        with socket.create_connection(("postgresql", PORTS["postgresql"]), 1) as connection:
            connection.sendall(SSL_REQUEST)
            return bool(connection.recv(1))
    except OSError:
        return False
