"""Addresses of the Compose backend: fixed ones in the project's network, few ports on loopback."""

import os
import platform
import socket
from collections.abc import Mapping

import psutil

from lab import ports
from lab.errors import LabError
from lab.ports import Listener

HOSTS = {
    "traefik": 10, "auth": 11, "profile": 12, "posts": 13, "feed": 14,
    "postgresql": 21, "mongodb": 22, "redis": 23, "kafka": 24, "consul": 25,
    "auth-2": 31, "profile-2": 32, "posts-2": 33, "feed-2": 34,
}  # fmt: skip
INSIDE = {"postgresql": 5432, "mongodb": 27017, "redis": 6379, "kafka": 9094,
          "auth": 5000, "profile": 5000, "posts": 5000, "feed": 5000}  # fmt: skip
PUBLISHED = {"http": 80, "dashboard": 8080, "consul": 8500, "jupyter": 8888}
"""What docker-compose.yml publishes on 127.0.0.1, each moved by LAB_PORT_<NAME>."""
BEYOND = {"postgresql": 5432, "mongodb": 27017, "redis": 6379, "kafka": 9094,
          "auth": 5011, "profile": 5012, "posts": 5013, "feed": 5014}  # fmt: skip
"""What compose/published.yaml publishes as well. Not 5000 and 7000, which macOS keeps for AirPlay."""

NAMES = {"http": "the gateway", "dashboard": "the gateway's dashboard", "jupyter": "JupyterLab"}


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
        return ports.parse(variable, given, (PUBLISHED | BEYOND)[name])

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
            **{unit: self.endpoint(unit) for unit in ("kafka", "redis", "mongodb", "postgresql")},
            **{unit: f"http://{self.endpoint(unit)}" for unit in ("auth", "profile", "posts", "feed")},
        }

    def variables(self) -> dict[str, str]:
        """Hosts and ports for platform/deployment/settings/*.env, as a program of this machine needs them."""
        found = {"HOST_CONSUL": "127.0.0.1", "PORT_CONSUL": str(self.port("consul"))}
        # The replica set's member has a name that only containers can resolve.
        found["MONGODB_OPTIONS"] = "directConnection=true"
        for unit in ("kafka", "redis", "mongodb", "postgresql"):
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

    def refuse_wrong_settings(self) -> None:
        """Raise LabError for a port or a network that cannot work, before anything is started."""
        ports.network(self.base)
        names = PUBLISHED | (BEYOND if self.published else {})
        ports.refuse_conflicts(
            Listener(NAMES.get(name, name), "127.0.0.1", self.port(name), f"LAB_PORT_{name.upper()}")
            for name in names
        )

    def refuse_taken_ports(self) -> None:
        """Raise LabError that names each taken port, who holds it, and the variable that moves it."""
        self.refuse_wrong_settings()
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
