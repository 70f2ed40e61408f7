"""Addresses of the native backend: each unit has its own loopback address, as each container has its own."""

import os
import socket
import zlib

import psutil

from lab import options, ports, topology
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
HOSTS |= {server.name: server.address for server in topology.OPTIONAL.values()}
HOSTS |= {worker: address for worker, (address, _) in topology.SCRAPED.items()}
PORTS = {name: entry.port for name, entry in topology.PUBLISHED.items() if name != "jupyter"} | {
    **{store: topology.ports()[store] for store in STORES},
    "services": topology.ports()[SERVICES[0]],
}
CONSUL_INNER = (8300, 8301, 8302)
"""The ports on which Consul's servers talk to each other; a single server listens there, too."""
FALLBACK_HTTP = 8000
FIRST_GROUP, GROUPS = 40_000, 20_000
"""Debian uses group ids below 30,000 and from 60,000 on for its own purposes."""
GROUPS_OF_A_HOME = max(20, len(UNITS) + len(SECONDS))


def front() -> str:
    """Return the address of all that people open in a browser: gateway, dashboard, Consul and JupyterLab."""
    return f"{BASE}.1"


def host(unit: str) -> str:
    """Return the unit's own loopback address; gateway, dashboard and Consul share the first one."""
    return f"{BASE}.{HOSTS[unit]}" if unit in HOSTS else front()


def group(home: Home, unit: str) -> int:
    """Return the group id of a unit's processes, which the packet filter uses. Every home has its own ids."""
    place = zlib.crc32(str(home.root).encode()) % (GROUPS // GROUPS_OF_A_HOME)
    return FIRST_GROUP + GROUPS_OF_A_HOME * place + (*UNITS, *SECONDS).index(unit)


def port(name: str) -> int:
    """Return the port of `name`: LAB_PORT_<NAME> or its default. Raises LabError."""
    variable = f"LAB_PORT_{name.upper()}"
    value = os.environ.get(variable, "")
    if name == "http" and not value:
        return PORTS[name] if _may_bind(PORTS[name]) else FALLBACK_HTTP
    return ports.parse(variable, value, PORTS[name])


def _may_bind(number: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((front(), number))
        except PermissionError:
            return False
        except OSError:
            return True  # the port is taken; `refuse_taken_ports` reports that
    return True


def listeners() -> list[Listener]:
    """Return everything that `up` will listen on."""
    listeners = [
        Listener("the gateway", front(), port("http"), "LAB_PORT_HTTP"),
        Listener("the gateway's dashboard", front(), port("dashboard"), "LAB_PORT_DASHBOARD"),
        Listener("the gateway's inner entry point", host("traefik-internal"), 8079, "LAB_LOOPBACK"),
        Listener("consul", front(), port("consul"), "LAB_PORT_CONSUL"),
        *(
            Listener(
                "consul's server port", f"{BASE}.{topology.addresses()['consul']}", number, "LAB_LOOPBACK"
            )
            for number in CONSUL_INNER
        ),
        Listener("the controller of kafka", host("kafka"), port("kafka") + 1, "LAB_PORT_KAFKA"),
    ]
    for unit in STORES:
        listeners.append(Listener(unit, host(unit), port(unit), f"LAB_PORT_{unit.upper()}"))
    for unit in SERVICES:
        listeners.append(Listener(unit, host(unit), port("services"), "LAB_PORT_SERVICES"))
    for name in options.servers(options.chosen()):
        server = topology.OPTIONAL[name]
        for number in (server.port, *server.ports.values()):
            listeners.append(Listener(name, host(name), number, "LAB_LOOPBACK"))
    return listeners


def refuse_wrong_settings() -> None:
    """Raise LabError for a port or an address that cannot work, before anything is started."""
    ports.loopback(BASE)
    ports.refuse_conflicts(listeners())


def refuse_taken_ports() -> None:
    """Raise LabError that names each taken port, the process that holds it, and the port's variable."""
    refuse_wrong_settings()
    lines = []
    for listener in listeners():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((listener.host, listener.port))
            except PermissionError:
                lines.append(
                    f"{listener.unit}: {listener.host}:{listener.port} needs root."
                    f" Move the lab: {listener.variable}=… ./lab up"
                )
            except OSError as error:
                lines.append(
                    f"{listener.unit}: {listener.host}:{listener.port} is not free"
                    f" ({holder(listener.host, listener.port) or error.strerror}). Stop that process,"
                    f" or move the lab: {listener.variable}=… ./lab up"
                )
    if lines:
        raise LabError("\n".join(lines))


def holder(host: str, number: int) -> str:
    """Return name and pid of the process that listens on a port of `host`; '' when it cannot be seen."""
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
    """Return whether a listener on `address` keeps others from using `host`."""
    return address.removeprefix("::ffff:") in (host, "0.0.0.0", "::", "")  # noqa: S104


def variables() -> dict[str, str]:
    """Return hosts, ports and listening addresses for platform/deployment/settings/*.env."""
    hosts = {"CONSUL": front()} | {unit.upper(): host(unit) for unit in HOSTS}
    ports = {name.upper(): str(port(name)) for name in PORTS if name not in ("http", "dashboard")}
    return (
        {f"HOST_{name.replace('-', '_')}": value for name, value in hosts.items()}
        | {f"PORT_{name}": value for name, value in ports.items()}
        | {
            "PORT_KAFKA_CONTROLLER": str(port("kafka") + 1),
            "LISTEN_GATEWAY": f"{front()}:{port('http')}",
            "LISTEN_DASHBOARD": f"{front()}:{port('dashboard')}",
        }
    )


def endpoints(chosen: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the address of each unit by name, and of the servers that these options add."""
    web = port("http")
    return {
        "gateway": f"http://{front()}" + ("" if web == 80 else f":{web}"),
        "traefik": f"http://{front()}:{port('dashboard')}",
        "consul": f"http://{front()}:{port('consul')}",
        **{unit: f"{host(unit)}:{port(unit)}" for unit in STORES},
        **{u: f"http://{host(u)}:{port('services')}" for u in SERVICES},
        **{u: f"http://{host(u)}:{topology.OPTIONAL[u].port}" for u in options.servers(chosen)},
    }
