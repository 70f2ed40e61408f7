"""Addresses of the Compose backend: fixed ones in the project's network, and a few ports on loopback."""

import os
import platform
import socket
from collections.abc import Callable, Mapping
from functools import cached_property

import psutil

from lab import options, ports, topology
from lab.backends.compose import engine, privileged
from lab.backends.compose.kinds import Engine
from lab.errors import LabError, NotWithThisEngine
from lab.ports import Listener
from lab.text import shortened
from lab.topology import SECOND, SERVICES, STORES

HOSTS = topology.addresses()
OUTSIDE_KAFKA = 9094
"""Kafka's listener for programs of this machine: it advertises an address, the other one a name."""
INSIDE = {unit: topology.ports()[unit] for unit in (*STORES, *SERVICES)} | {"kafka": OUTSIDE_KAFKA}
PUBLISHED = {name: entry.port for name, entry in topology.PUBLISHED.items()}
"""What docker-compose.yml publishes on 127.0.0.1; LAB_PORT_<NAME> changes each port."""
BEYOND = (
    {store: INSIDE[store] for store in STORES}
    | {service: INSIDE[service] + HOSTS[service] for service in SERVICES}
    | {service + SECOND: INSIDE[service] + HOSTS[service] + 10 for service in SERVICES}
)
"""What compose/published.yaml adds. Ports 5000 and 7000 are avoided: macOS uses them for AirPlay."""

ADDED = {server.name: server.port for server in topology.OPTIONAL.values()}
"""What the overlays of the options publish."""

NAMES = {"http": "the gateway", "dashboard": "the gateway's dashboard", "jupyter": "JupyterLab"}


UNPRIVILEGED_HTTP = 8000
"""The gateway's port where the engine may not publish 80; the native backend uses the same."""


class Addresses:
    """The address of each unit. `settings`: the variables of .env and the environment.

    `ask` returns the engine, which decides how containers are reached; it is called only when needed.
    """

    def __init__(
        self, settings: Mapping[str, str], ask: Callable[[], Engine | None] = engine.current
    ) -> None:
        self._settings = settings
        self._ask = ask
        self.base = settings.get("LAB_NETWORK") or "172.30.41"

    @cached_property
    def published(self) -> bool:
        """Whether the servers are reached on 127.0.0.1, because the containers' own addresses are not.

        Raises LabError for a wrong LAB_REACH.
        """
        if reach := self._settings.get("LAB_REACH"):
            if reach not in ("network", "published"):
                raise LabError(
                    f"LAB_REACH={shortened(reach)} is not a way to reach containers; set it to network (their"
                    " own addresses) or published (ports of this machine), or leave it unset."
                )
            return reach == "published"
        current = self._ask()
        if current is None:  # a guess, for commands that need no engine
            return platform.system() != "Linux"
        return current.reached_by == "published"

    def port(self, name: str) -> int:
        """Return the port of `name` on 127.0.0.1. Raises LabError."""
        variable = _variable(name)
        value = self._settings.get(variable, "")
        if not value and name == "http" and self._first > PUBLISHED[name]:
            return UNPRIVILEGED_HTTP
        return ports.parse(variable, value, (PUBLISHED | BEYOND | ADDED)[name])

    def moved(self) -> dict[str, str]:
        """Return the variable that `docker compose` needs when the engine may not publish port 80."""
        if self._settings.get("LAB_PORT_HTTP") or self.port("http") == PUBLISHED["http"]:
            return {}
        return {"LAB_PORT_HTTP": str(self.port("http"))}

    @cached_property
    def _first(self) -> int:
        """The lowest port that the engine may publish."""
        return privileged.first(self._ask())

    def reach(self, unit: str) -> str:
        """Return the address of a unit for a program of this machine."""
        if unit in ("consul", "traefik") or self.published:
            return "127.0.0.1"
        return f"{self.base}.{HOSTS[unit]}"

    def endpoint(self, unit: str) -> str:
        """Return the host:port of a unit for a program of this machine."""
        return f"{self.reach(unit)}:{self.port(unit) if self.published else INSIDE[unit]}"

    def endpoints(self, chosen: tuple[str, ...] = ()) -> dict[str, str]:
        """Return the address of each unit by name, and of the servers that these options add."""
        web = self.port("http")
        return {
            "gateway": "http://127.0.0.1" + ("" if web == 80 else f":{web}"),
            "traefik": f"http://127.0.0.1:{self.port('dashboard')}",
            "consul": f"http://127.0.0.1:{self.port('consul')}",
            **{unit: self.endpoint(unit) for unit in STORES},
            **{unit: f"http://{self.endpoint(unit)}" for unit in SERVICES},
            **{name: f"http://127.0.0.1:{self.port(name)}" for name in options.servers(chosen)},
        }

    def variables(self) -> dict[str, str]:
        """Return hosts and ports for platform/deployment/settings/*.env, for a program of this machine."""
        values = {"HOST_CONSUL": "127.0.0.1", "PORT_CONSUL": str(self.port("consul"))}
        # The replica set's member has a name that only containers can resolve.
        values["MONGODB_OPTIONS"] = "directConnection=true"
        for unit in STORES:
            host, _, port = self.endpoint(unit).partition(":")
            values |= {f"HOST_{unit.upper()}": host, f"PORT_{unit.upper()}": port}
        return values

    def bridge(self) -> str:
        """Return this machine's own address in the project's network. Raises NotWithThisEngine."""
        if self.published:
            raise NotWithThisEngine(
                "with this engine the containers cannot send requests to a program on this machine",
                "in a terminal of JupyterLab (./lab notebook): lab check NN",
            )
        return f"{self.base}.1"

    def neighbour(self) -> tuple[str, str]:
        """Return the gateway's own address, and an address of this machine outside the project's network.

        Raises NotWithThisEngine.
        """
        if self.published:
            raise NotWithThisEngine(
                "with this engine the gateway sees all requests come from one address",
                "on Linux with Docker Engine, or with LAB_BACKEND=native: ./lab check NN",
            )
        for addresses in psutil.net_if_addrs().values():
            for address in addresses:
                outside = not address.address.startswith(("127.", f"{self.base}."))
                if address.family == socket.AF_INET and outside:
                    return f"http://{self.base}.{HOSTS['traefik']}", address.address
        raise LabError("This machine has only one address, so no second client can be simulated on it.")

    def _names(self) -> dict[str, int]:
        """Return what the next start publishes on 127.0.0.1, with the default ports."""
        added = {name: ADDED[name] for name in options.servers(options.chosen())}
        return PUBLISHED | (BEYOND if self.published else {}) | added

    def refuse_wrong_settings(self) -> None:
        """Raise LabError for a port or a network that cannot work, before anything is started."""
        ports.network(self.base)
        names = self._names()
        ports.refuse_conflicts(
            Listener(NAMES.get(name, name), "127.0.0.1", self.port(name), f"LAB_PORT_{name.upper()}")
            for name in names
        )

    def refuse_taken_ports(self) -> None:
        """Raise LabError that names each taken port, the process that holds it, and the port's variable."""
        self.refuse_wrong_settings()
        names = self._names()
        lines = []
        for name in names:
            if self.port(name) < self._first and (current := self._ask()):
                variable = _variable(name)
                lines.append(
                    f"127.0.0.1:{self.port(name)} ({name}) is below {self._first}, and {current.name} may not"
                    f" publish it. Move the lab: {variable}=… ./lab up, or allow it:"
                    f" {privileged.remedy(current)}"
                )
                continue
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex(("127.0.0.1", self.port(name))) == 0:
                    lines.append(
                        f"127.0.0.1:{self.port(name)} ({name}) is not free{holder(self.port(name))}."
                        f" Stop that process, or move the lab: {_variable(name)}=… ./lab up"
                    )
        if lines:
            raise LabError("\n".join(lines))


def _variable(name: str) -> str:
    return f"LAB_PORT_{name.upper().replace('-', '_')}"


def holder(number: int) -> str:
    """Return ', NAME (pid N) holds it', or '' when the process cannot be seen."""
    try:
        for connection in psutil.net_connections("inet"):
            if (
                connection.status == psutil.CONN_LISTEN
                and connection.laddr[1:] == (number,)
                and connection.pid
            ):
                return f", {psutil.Process(connection.pid).name()} (pid {connection.pid}) holds it"
    except psutil.Error:
        pass  # macOS shows other users' processes only to root
    return ""


def environment_with(dotenv: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that Compose sees: those of .env, replaced by those of the environment."""
    return {**dotenv, **os.environ}
