"""The view from inside the project's network, which JupyterLab has: use the system, do not steer it.

What it can do is to tell our own units which files to run: they look at a folder that it shares with them.
"""

import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from civildiy.chassis.observability.healthcheck import beats
from lab import topology
from lab.backends import overrides
from lab.backends.protocol import Unit
from lab.backends.settings import SECRETS, from_environment, read
from lab.course.exercise import LABS
from lab.errors import LabError, NotFromHere
from lab.home import PLATFORM, Home
from lab.progress import Progress
from lab.topology import SERVICES, STORES, UNITS

PORTS = topology.ports() | {"traefik": topology.PUBLISHED["dashboard"].port}
"""Units that listen; the workers are seen by what they do."""
REPORTS = "/reports"
"""Where our own units write what they say of the learner's code, and workers that they go round."""


class InsideBackend:
    """Names and ports of the project's network. Starting and stopping is for the machine outside."""

    kind = "inside"

    def __init__(self, home: Home) -> None:
        self._home = home

    def running(self) -> bool:
        """Whether the gateway listens."""
        return self.listens("traefik")

    def belongs_elsewhere(self) -> str:
        """This very system, always."""
        return ""

    def listens(self, unit: str) -> bool:
        """Whether a unit that has a port takes a connection."""
        try:
            with socket.create_connection((unit, PORTS[unit.removesuffix(topology.SECOND)]), 1):
                return True
        except OSError:
            return False

    def start(self, progress: Progress) -> None:
        """It runs already, or this would not."""
        raise _outside("./lab up")

    def stop(self) -> None:
        """Not from in here."""
        raise _outside("./lab down")

    def restart(self, unit: str) -> None:
        """Not from in here."""
        raise _outside(f"./lab restart {unit}")

    def provision(self) -> None:
        """Not from in here."""
        raise _outside("./lab up")

    def refuse_wrong_settings(self) -> None:
        """Names and ports of the project's network are fixed."""

    def stop_unit(self, unit: str) -> None:
        """Not from in here."""
        raise _outside(f"docker compose stop {unit}")

    def start_unit(self, unit: str) -> None:
        """Not from in here."""
        raise _outside(f"docker compose start {unit}")

    def units(self) -> list[Unit]:
        """Which units listen, and which workers go round; nothing more is seen from in here."""
        states = {unit: "running" if self.listens(unit) else "stopped" for unit in PORTS}
        states |= {unit: "running" for unit in UNITS if beats(Path(REPORTS) / f"{unit}.beat")}
        return [Unit(unit, states.get(unit, "not seen"), None, None, 0, None) for unit in UNITS]

    def pid_of(self, unit: str) -> int | None:
        """Not from in here."""
        raise _outside(f"docker compose top {unit}")

    def signal(self, unit: str, number: int) -> None:
        """Not from in here."""
        raise _outside(f"docker compose kill {unit}")

    def revive(self, unit: str) -> None:
        """Not from in here."""
        raise _outside(f"docker compose restart {unit}")

    def forget(self, unit: str) -> None:
        """Not from in here."""
        raise _outside(f"docker compose rm {unit}")

    def override(self, unit: str, settings: Mapping[str, str]) -> None:
        """Only which files the unit runs; it sees the change and begins anew. Raises LabError."""
        rest = [{k: v for k, v in some.items() if k != "LAB_CODE"}
                for some in (settings, overrides.read(self._home, unit))]  # fmt: skip
        if rest[0] != rest[1]:
            raise _outside(f"./lab restart {unit}")
        try:
            overrides.write(self._home, unit, settings)
        except PermissionError as error:
            raise LabError(
                f"{error.filename} belongs to another user. {_outside('./lab start NN')}"
            ) from error

    def freeze(self, unit: str) -> None:
        """Not from in here."""
        raise _outside(f"./lab break pause {unit}")

    def cut_off(self, unit: str) -> None:
        """Not from in here."""
        raise _outside(f"./lab break cut-off {unit}")

    def fill_disk(self, unit: str) -> None:
        """Not from in here."""
        raise _outside(f"./lab break full-disk {unit}")

    def skew_clock(self, unit: str, seconds: int) -> None:
        """Not from in here."""
        raise _outside(f"./lab break clock-skew {unit}")

    def thaw(self, unit: str) -> None:
        """Nothing can be broken from in here, so there is nothing to heal."""

    def reconnect(self, unit: str) -> None:
        """Nothing can be broken from in here, so there is nothing to heal."""

    def free_disk(self, unit: str) -> None:
        """Nothing can be broken from in here, so there is nothing to heal."""

    def log_command(self, unit: str, follow: bool, lines: int = 200) -> list[str]:
        """Not from in here."""
        raise _outside(f"./lab logs {unit}")

    def marked_command(self, unit: str, lines: int) -> list[str]:
        """What the unit writes for this purpose."""
        return ["tail", "-n", str(lines), f"{REPORTS}/{unit}.log"]

    def tool_command(self, tool: str, *arguments: str) -> list[str]:
        """A process of this container; the packages are here as well."""
        settings = {
            **read("feed-tool", self.variables()), "PYTHONPATH": str(PLATFORM), "LAB_CODE_FOLDER": str(LABS),
            "LAB_CODE": overrides.read(self._home, "feed").get("LAB_CODE", ""),
        }  # fmt: skip
        given = [f"{name}={value}" for name, value in settings.items()]
        return ["env", *given, sys.executable, "-P", "-m", "civildiy", tool, *arguments]

    def endpoints(self) -> dict[str, str]:
        """The names that the services use as well."""
        web = {"gateway": "http://traefik", "traefik": "http://traefik:8080", "consul": "http://consul:8500"}
        servers = {unit: f"{unit}:{PORTS[unit]}" for unit in STORES}
        return web | servers | {unit: f"http://{unit}:{PORTS[unit]}" for unit in SERVICES}

    def remarks(self) -> str:
        """Nothing to add."""
        return ""

    def host(self, unit: str) -> str:
        """Its name."""
        return unit

    def reach(self, unit: str) -> str:
        """Its name."""
        return unit

    def variables(self) -> dict[str, str]:
        """The defaults of deployment/settings are names in this network; secrets are in the environment."""
        return from_environment(SECRETS)

    def listen_host(self) -> str:
        """This container's own address."""
        return socket.gethostbyname(socket.gethostname())

    def neighbour(self) -> tuple[str, str]:
        """There is one address only."""
        raise _outside("./lab check NN")

    def delete_data(self) -> None:
        """Not from in here."""
        raise _outside("./lab reset")


def _outside(command: str) -> NotFromHere:
    return NotFromHere(
        f"JupyterLab has no say over the containers. On your own machine, in this folder: {command}"
    )
