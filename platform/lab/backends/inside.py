"""The backend in JupyterLab's container: it uses the system through its network, but cannot start it.

It can only tell the units of this repository which files to run: they watch a folder that it shares.
"""

import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from civildiy.chassis.observability.healthcheck import beats
from lab import options, topology
from lab.backends import overrides
from lab.backends.protocol import Unit
from lab.backends.settings import SECRETS, from_environment, read
from lab.errors import LabError, NotFromHere
from lab.home import LABS, PLATFORM, Home
from lab.progress import Progress
from lab.topology import SERVICES, STORES, UNITS

ADDED = {server.name: server.port for server in topology.OPTIONAL.values()}
PORTS = topology.ports() | {"traefik": topology.PUBLISHED["dashboard"].port}
"""Units that listen on a port; workers are known by the heartbeat files that they write."""
REPORTS = "/reports"
"""The folder for reports about the learner's code, and for the workers' heartbeat files."""


class InsideBackend:
    """Names and ports in the project's network. Only the machine outside can start and stop units."""

    kind = "inside"

    def __init__(self, home: Home) -> None:
        self._home = home

    def running(self) -> bool:
        """Return whether the gateway listens."""
        return self.listens("traefik")

    def options(self) -> tuple[str, ...]:
        """Return the options whose servers this container can see."""
        seen = [name for name in topology.OPTIONAL if self.listens(name)]
        return ("observability",) if seen else ()

    def belongs_elsewhere(self) -> str:
        """Return '': JupyterLab always belongs to the system that it sees."""
        return ""

    def listens(self, unit: str) -> bool:
        """Return whether a unit that has a port accepts a connection."""
        try:
            with socket.create_connection((unit, (PORTS | ADDED)[unit.removesuffix(topology.SECOND)]), 1):
                return True
        except OSError:
            return False

    def start(self, progress: Progress) -> None:
        """Refuse: the system already runs, because this container is a part of it."""
        raise _outside("./lab up")

    def stop(self) -> None:
        """Refuse: only the machine outside can do this."""
        raise _outside("./lab down")

    def restart(self, unit: str) -> None:
        """Refuse: only the machine outside can do this."""
        raise _outside(f"./lab restart {unit}")

    def provision(self) -> None:
        """Refuse: only the machine outside can do this."""
        raise _outside("./lab up")

    def refuse_wrong_settings(self) -> None:
        """Accept everything: names and ports in the project's network are fixed."""

    def stop_unit(self, unit: str) -> None:
        """Refuse: only the machine outside can do this."""
        raise _outside(f"docker compose stop {unit}")

    def start_unit(self, unit: str) -> None:
        """Refuse: only the machine outside can do this."""
        raise _outside(f"docker compose start {unit}")

    def units(self) -> list[Unit]:
        """Return the state of each unit: listening, sending heartbeats, or not visible from here."""
        states = {unit: "running" if self.listens(unit) else "stopped" for unit in PORTS}
        states |= {unit: "running" for unit in UNITS if beats(Path(REPORTS) / f"{unit}.beat")}
        return [Unit(unit, states.get(unit, "not seen"), None, None, 0, None) for unit in UNITS]

    def pid_of(self, unit: str) -> int | None:
        """Refuse: only the machine outside can do this."""
        raise _outside(f"docker compose top {unit}")

    def signal(self, unit: str, number: int) -> None:
        """Refuse: only the machine outside can do this."""
        raise _outside(f"docker compose kill {unit}")

    def revive(self, unit: str) -> None:
        """Refuse: only the machine outside can do this."""
        raise _outside(f"docker compose restart {unit}")

    def forget(self, unit: str) -> None:
        """Refuse: only the machine outside can do this."""
        raise _outside(f"docker compose rm {unit}")

    def override(self, unit: str, settings: Mapping[str, str]) -> None:
        """Set which files the unit runs; the unit sees the change and restarts itself. Raises LabError.

        No other setting can be changed from inside the container.
        """
        rest = [{k: v for k, v in values.items() if k != "LAB_CODE"}
                for values in (settings, overrides.read(self._home, unit))]  # fmt: skip
        if rest[0] != rest[1]:
            raise _outside(f"./lab restart {unit}")
        try:
            overrides.write(self._home, unit, settings)
        except PermissionError as error:
            raise LabError(
                f"{error.filename} belongs to another user. {_outside('./lab start NN')}"
            ) from error

    def freeze(self, unit: str) -> None:
        """Refuse: only the machine outside can do this."""
        raise _outside(f"./lab break pause {unit}")

    def cut_off(self, unit: str) -> None:
        """Refuse: only the machine outside can do this."""
        raise _outside(f"./lab break cut-off {unit}")

    def fill_disk(self, unit: str) -> None:
        """Refuse: only the machine outside can do this."""
        raise _outside(f"./lab break full-disk {unit}")

    def skew_clock(self, unit: str, seconds: int) -> None:
        """Refuse: only the machine outside can do this."""
        raise _outside(f"./lab break clock-skew {unit}")

    def thaw(self, unit: str) -> None:
        """Do nothing: no fault can be started from here."""

    def reconnect(self, unit: str) -> None:
        """Do nothing: no fault can be started from here."""

    def free_disk(self, unit: str) -> None:
        """Do nothing: no fault can be started from here."""

    def deliver(self, unit: str) -> None:
        """Do nothing: the containers share one folder."""

    def log_command(self, unit: str, follow: bool, lines: int = 200) -> list[str]:
        """Refuse: only the machine outside can do this."""
        raise _outside(f"./lab logs {unit}")

    def marked_command(self, unit: str, lines: int) -> list[str]:
        """Return a command that prints the report file, which the unit writes for this purpose."""
        return ["tail", "-n", str(lines), f"{REPORTS}/{unit}.log"]

    def tool_command(self, tool: str, *arguments: str) -> list[str]:
        """Return a command that runs the tool in this container, which holds its packages, too."""
        settings = {
            **read("feed-tool", self.variables()), "PYTHONPATH": str(PLATFORM), "LAB_CODE_FOLDER": str(LABS),
            "LAB_CODE": overrides.read(self._home, "feed").get("LAB_CODE", ""),
        }  # fmt: skip
        variables = [f"{name}={value}" for name, value in settings.items()]
        return ["env", *variables, sys.executable, "-P", "-m", "civildiy", tool, *arguments]

    def endpoints(self) -> dict[str, str]:
        """Return the names that the services use themselves."""
        web = {"gateway": "http://traefik", "traefik": "http://traefik:8080", "consul": "http://consul:8500"}
        servers = {unit: f"{unit}:{PORTS[unit]}" for unit in STORES}
        added = {name: f"http://{name}:{ADDED[name]}" for name in options.servers(self.options())}
        return web | servers | {unit: f"http://{unit}:{PORTS[unit]}" for unit in SERVICES} | added

    def remarks(self) -> str:
        """Return '': there is nothing to add."""
        return ""

    def host(self, unit: str) -> str:
        """Return the unit's name, which the network resolves."""
        return unit

    def reach(self, unit: str) -> str:
        """Return the unit's name, which the network resolves."""
        return unit

    def variables(self) -> dict[str, str]:
        """Return the secrets. The defaults of deployment/settings are right inside this network."""
        return from_environment(SECRETS)

    def listen_host(self) -> str:
        """Return this container's own address."""
        return socket.gethostbyname(socket.gethostname())

    def neighbour(self) -> tuple[str, str]:
        """Refuse: this container has only one address."""
        raise _outside("./lab check NN")

    def delete_data(self) -> None:
        """Refuse: only the machine outside can do this."""
        raise _outside("./lab reset")


def _outside(command: str) -> NotFromHere:
    return NotFromHere(
        f"JupyterLab cannot control the containers. Type this on your own machine, in this folder: {command}"
    )
