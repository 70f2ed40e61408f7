"""Addresses of the Compose backend: fixed ones in the project's network, few ports on loopback."""

import os
import platform
import socket
from collections.abc import Mapping

import psutil

from lab import topology
from lab.errors import LabError
from lab.topology import SERVICES, STORES

HOSTS = topology.addresses()
OUTSIDE_KAFKA = 9094
"""Kafka's listener for programs of this machine: it tells an address where the other one tells a name."""
INSIDE = {unit: topology.ports()[unit] for unit in (*STORES, *SERVICES)} | {"kafka": OUTSIDE_KAFKA}
PUBLISHED = {name: found.port for name, found in topology.PUBLISHED.items()}
"""What docker-compose.yml publishes on 127.0.0.1, each moved by LAB_PORT_<NAME>."""
BEYOND = {store: INSIDE[store] for store in STORES} | {
    service: INSIDE[service] + HOSTS[service] for service in SERVICES
}
"""What compose/published.yaml publishes as well. Not 5000 and 7000, which macOS keeps for AirPlay."""


class Addresses:
    """Names to addresses. `settings`: the variables of .env and the environment."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings = settings
        self.base = settings.get("LAB_NETWORK") or "172.30.41"
        # Only on Linux do the containers' own addresses answer the machine that they run on.
        reach = settings.get("LAB_REACH") or ("network" if platform.system() == "Linux" else "published")
        self.published = reach == "published"

    def port(self, name: str) -> int:
        """The port on 127.0.0.1 of `name`. Raises LabError."""
        variable = f"LAB_PORT_{name.upper()}"
        given = self._settings.get(variable, "")
        if given and not (given.isdigit() and 0 < int(given) < 65536):
            raise LabError(f"{variable}={given} is not a port; give a number from 1 to 65535.")
        return int(given) if given else (PUBLISHED | BEYOND)[name]

    def reach(self, unit: str) -> str:
        """Address of a unit for a program of this machine."""
        if unit in ("consul", "traefik") or self.published:
            return "127.0.0.1"
        return f"{self.base}.{HOSTS[unit]}"

    def endpoint(self, unit: str) -> str:
        """host:port of a unit for a program of this machine."""
        return f"{self.reach(unit)}:{self.port(unit) if self.published else INSIDE[unit]}"

    def endpoints(self) -> dict[str, str]:
        """Address of each unit, by the keys that scripts use."""
        web = self.port("http")
        return {
            "gateway": "http://127.0.0.1" + ("" if web == 80 else f":{web}"),
            "traefik": f"http://127.0.0.1:{self.port('dashboard')}",
            "consul": f"http://127.0.0.1:{self.port('consul')}",
            **{unit: self.endpoint(unit) for unit in STORES},
            **{unit: f"http://{self.endpoint(unit)}" for unit in SERVICES},
        }

    def variables(self) -> dict[str, str]:
        """Hosts and ports for platform/deployment/settings/*.env, as a program of this machine needs them."""
        found = {"HOST_CONSUL": "127.0.0.1", "PORT_CONSUL": str(self.port("consul"))}
        # The replica set's member has a name that only containers can resolve.
        found["MONGODB_OPTIONS"] = "directConnection=true"
        for unit in STORES:
            host, _, port = self.endpoint(unit).partition(":")
            found |= {f"HOST_{unit.upper()}": host, f"PORT_{unit.upper()}": port}
        return found

    def bridge(self) -> str:
        """This machine's own address in the project's network."""
        return f"{self.base}.1"

    def neighbour(self) -> tuple[str, str]:
        """The gateway's own address, and an address of this machine outside the project's network."""
        for addresses in psutil.net_if_addrs().values():
            for found in addresses:
                away = not found.address.startswith(("127.", f"{self.base}."))
                if found.family == socket.AF_INET and away:
                    return f"http://{self.base}.{HOSTS['traefik']}", found.address
        raise LabError("This machine has one address only, so a second client cannot be played.")

    def refuse_taken_ports(self) -> None:
        """Raise LabError that names each taken port, who holds it, and the variable that moves it."""
        names = PUBLISHED | (BEYOND if self.published else {})
        lines = []
        for name in names:
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex(("127.0.0.1", self.port(name))) == 0:
                    lines.append(
                        f"127.0.0.1:{self.port(name)} ({name}) is not free{holder(self.port(name))}."
                        f" Stop that, or move the lab: LAB_PORT_{name.upper()}=… ./lab up"
                    )
        if lines:
            raise LabError("\n".join(lines))


def holder(number: int) -> str:
    """', NAME (pid N) holds it', or '' when that cannot be seen."""
    try:
        for connection in psutil.net_connections("inet"):
            if (
                connection.status == psutil.CONN_LISTEN
                and connection.laddr[1:] == (number,)
                and connection.pid
            ):
                return f", {psutil.Process(connection.pid).name()} (pid {connection.pid}) holds it"
    except psutil.Error:
        pass  # macOS shows other processes to root only
    return ""


def environment_with(dotenv: Mapping[str, str]) -> dict[str, str]:
    """The variables that Compose would see: .env, and the environment on top."""
    return {**dotenv, **os.environ}
