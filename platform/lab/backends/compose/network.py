"""Addresses of the Compose backend: fixed ones in the project's network, few ports on loopback."""

import os
import platform
import socket
from collections.abc import Callable, Mapping
from functools import cached_property

import psutil

from lab import ports, topology
from lab.backends.compose import engine, privileged
from lab.backends.compose.kinds import Engine
from lab.errors import LabError, NotWithThisEngine
from lab.ports import Listener
from lab.topology import SECOND, SERVICES, STORES

HOSTS = topology.addresses()
OUTSIDE_KAFKA = 9094
"""Kafka's listener for programs of this machine: it tells an address where the other one tells a name."""
INSIDE = {unit: topology.ports()[unit] for unit in (*STORES, *SERVICES)} | {"kafka": OUTSIDE_KAFKA}
PUBLISHED = {name: found.port for name, found in topology.PUBLISHED.items()}
"""What docker-compose.yml publishes on 127.0.0.1, each moved by LAB_PORT_<NAME>."""
BEYOND = (
    {store: INSIDE[store] for store in STORES}
    | {service: INSIDE[service] + HOSTS[service] for service in SERVICES}
    | {service + SECOND: INSIDE[service] + HOSTS[service] + 10 for service in SERVICES}
)
"""What compose/published.yaml publishes as well. Not 5000 and 7000, which macOS keeps for AirPlay."""

NAMES = {"http": "the gateway", "dashboard": "the gateway's dashboard", "jupyter": "JupyterLab"}


UNPRIVILEGED_HTTP = 8000
"""The gateway's port where the engine may not publish 80; the native backend has the same."""


class Addresses:
    """Names to addresses. `settings`: the variables of .env and the environment.

    `ask` gives the engine, which decides how containers are reached; it is called when that is needed.
    """

    def __init__(
        self, settings: Mapping[str, str], ask: Callable[[], Engine | None] = engine.current
    ) -> None:
        self._settings = settings
        self._ask = ask
        self.base = settings.get("LAB_NETWORK") or "172.30.41"

    @cached_property
    def published(self) -> bool:
        """Whether the servers are reached on 127.0.0.1, because the containers' own addresses are not."""
        if reach := self._settings.get("LAB_REACH"):
            return reach == "published"
        found = self._ask()
        if found is None:  # a guess, for commands that need no engine
            return platform.system() != "Linux"
        return found.reached_by == "published"

    def port(self, name: str) -> int:
        """The port on 127.0.0.1 of `name`. Raises LabError."""
        variable = _variable(name)
        given = self._settings.get(variable, "")
        if not given and name == "http" and self._first > PUBLISHED[name]:
            return UNPRIVILEGED_HTTP
        return ports.parse(variable, given, (PUBLISHED | BEYOND)[name])

    def moved(self) -> dict[str, str]:
        """The port variable that `docker compose` needs because the engine may not publish port 80."""
        if self._settings.get("LAB_PORT_HTTP") or self.port("http") == PUBLISHED["http"]:
            return {}
        return {"LAB_PORT_HTTP": str(self.port("http"))}

    @cached_property
    def _first(self) -> int:
        """The lowest port that the engine may publish."""
        return privileged.first(self._ask())

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
        """This machine's own address in the project's network. Raises NotWithThisEngine."""
        if self.published:
            raise NotWithThisEngine(
                "with this engine the containers cannot send requests to a program on this machine",
                "in a terminal of JupyterLab (./lab notebook): lab check NN",
            )
        return f"{self.base}.1"

    def neighbour(self) -> tuple[str, str]:
        """The gateway's own address, and an address of this machine outside the project's network.

        Raises NotWithThisEngine.
        """
        if self.published:
            raise NotWithThisEngine(
                "with this engine all requests reach the gateway from one address",
                "on Linux with Docker Engine, or with LAB_BACKEND=native: ./lab check NN",
            )
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
            if self.port(name) < self._first and (found := self._ask()):
                variable = _variable(name)
                lines.append(
                    f"127.0.0.1:{self.port(name)} ({name}) is below {self._first}, and {found.name} may not"
                    f" publish it. Move the lab: {variable}=… ./lab up, or allow it:"
                    f" {privileged.remedy(found)}"
                )
                continue
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex(("127.0.0.1", self.port(name))) == 0:
                    lines.append(
                        f"127.0.0.1:{self.port(name)} ({name}) is not free{holder(self.port(name))}."
                        f" Stop that, or move the lab: {_variable(name)}=… ./lab up"
                    )
        if lines:
            raise LabError("\n".join(lines))


def _variable(name: str) -> str:
    return f"LAB_PORT_{name.upper().replace('-', '_')}"


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
