"""Addresses of the native backend: each unit has a loopback address of its own, as in Compose."""

import os
import socket
import zlib

import psutil

from lab import ports, topology
from lab.errors import LabError
from lab.home import Home
from lab.ports import Listener
from lab.topology import SECONDS, SERVICES, STORES, UNITS

BASE = os.environ.get("LAB_LOOPBACK") or "127.0.0"
HOSTS = {
    "traefik-internal" if unit == "traefik" else unit: number
    for unit, number in topology.addresses().items()
    if unit != "consul"
}
PORTS = {name: found.port for name, found in topology.PUBLISHED.items() if name != "jupyter"} | {
    **{store: topology.ports()[store] for store in STORES},
    "services": topology.ports()[SERVICES[0]],
}
CONSUL_INNER = (8300, 8301, 8302)
"""On these Consul's servers speak with each other, also where there is one."""
FALLBACK_HTTP = 8000
FIRST_GROUP = 40_000
"""Debian gives group ids from 60,000 on, and below 30,000, to others."""


def host(unit: str) -> str:
    """The unit's own loopback address; gateway, dashboard and Consul are on 127.0.0.1."""
    return f"{BASE}.{HOSTS[unit]}" if unit in HOSTS else "127.0.0.1"


def group(home: Home, unit: str) -> int:
    """Group id of a unit's processes, by which the packet filter knows them; unlike another home's."""
    place = zlib.crc32(str(home.root).encode()) % 1000
    return FIRST_GROUP + 20 * place + (*UNITS, *SECONDS).index(unit)


def port(name: str) -> int:
    """The port of `name`: LAB_PORT_<NAME> or its default. Raises LabError."""
    variable = f"LAB_PORT_{name.upper()}"
    given = os.environ.get(variable, "")
    if name == "http" and not given:
        return PORTS[name] if _may_bind(PORTS[name]) else FALLBACK_HTTP
    return ports.parse(variable, given, PORTS[name])


def _may_bind(number: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except PermissionError:
            return False
        except OSError:
            return True  # taken, which is another matter with a message of its own
    return True


def listeners() -> list[Listener]:
    """Everything that `up` will listen on."""
    found = [
        Listener("the gateway", "127.0.0.1", port("http"), "LAB_PORT_HTTP"),
        Listener("the gateway's dashboard", "127.0.0.1", port("dashboard"), "LAB_PORT_DASHBOARD"),
        Listener("the gateway's inner entry point", host("traefik-internal"), 8079, "LAB_LOOPBACK"),
        Listener("consul", "127.0.0.1", port("consul"), "LAB_PORT_CONSUL"),
        *(
            Listener(
                "consul's server port", f"{BASE}.{topology.addresses()['consul']}", number, "LAB_LOOPBACK"
            )
            for number in CONSUL_INNER
        ),
        Listener("the controller of kafka", host("kafka"), port("kafka") + 1, "LAB_PORT_KAFKA"),
    ]
    for unit in STORES:
        found.append(Listener(unit, host(unit), port(unit), f"LAB_PORT_{unit.upper()}"))
    for unit in SERVICES:
        found.append(Listener(unit, host(unit), port("services"), "LAB_PORT_SERVICES"))
    return found


def refuse_wrong_settings() -> None:
    """Raise LabError for a port or an address that cannot work, before anything is started."""
    ports.loopback(BASE)
    ports.refuse_conflicts(listeners())


def refuse_taken_ports() -> None:
    """Raise LabError that names each port, who holds it, and the variable that moves it."""
    refuse_wrong_settings()
    lines = []
    for wanted in listeners():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((wanted.host, wanted.port))
            except PermissionError:
                lines.append(
                    f"{wanted.unit}: {wanted.host}:{wanted.port} needs root."
                    f" Move the lab: {wanted.variable}=… ./lab up"
                )
            except OSError as error:
                lines.append(
                    f"{wanted.unit}: {wanted.host}:{wanted.port} is not free"
                    f" ({holder(wanted.host, wanted.port) or error.strerror}). Stop that process,"
                    f" or move the lab: {wanted.variable}=… ./lab up"
                )
    if lines:
        raise LabError("\n".join(lines))


def holder(host: str, number: int) -> str:
    """Name and pid of the process that listens on a port of `host`; '' when it cannot be seen."""
    for connection in psutil.net_connections("inet"):
        # laddr is (host, port); a socket without one is not bound.
        listens = connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (number,)
        if listens and connection.pid and _takes(str(next(iter(connection.laddr), "")), host):
            try:
                return f"{psutil.Process(connection.pid).name()}, pid {connection.pid}, holds it"
            except psutil.Error:
                return f"pid {connection.pid} holds it"
    return ""


def _takes(address: str, host: str) -> bool:
    """Whether who listens on `address` keeps others from `host`."""
    return address.removeprefix("::ffff:") in (host, "0.0.0.0", "::", "")  # noqa: S104


def variables() -> dict[str, str]:
    """What platform/deployment/settings/*.env asks of a backend: hosts, ports and listening addresses."""
    found = {"CONSUL": "127.0.0.1"} | {unit.upper(): host(unit) for unit in HOSTS}
    ports = {name.upper(): str(port(name)) for name in PORTS if name not in ("http", "dashboard")}
    return (
        {f"HOST_{name.replace('-', '_')}": value for name, value in found.items()}
        | {f"PORT_{name}": value for name, value in ports.items()}
        | {
            "PORT_KAFKA_CONTROLLER": str(port("kafka") + 1),
            "LISTEN_GATEWAY": f"127.0.0.1:{port('http')}",
            "LISTEN_DASHBOARD": f"127.0.0.1:{port('dashboard')}",
        }
    )


def endpoints() -> dict[str, str]:
    """Address of each unit, by the keys that scripts use."""
    web = port("http")
    return {
        "gateway": "http://127.0.0.1" + ("" if web == 80 else f":{web}"),
        "traefik": f"http://127.0.0.1:{port('dashboard')}",
        "consul": f"http://127.0.0.1:{port('consul')}",
        **{unit: f"{host(unit)}:{port(unit)}" for unit in STORES},
        **{u: f"http://{host(u)}:{port('services')}" for u in SERVICES},
    }
