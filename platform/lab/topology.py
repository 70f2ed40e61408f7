"""The units of the system. They are read from deployment/topology.toml, the only place that lists them."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lab.home import DEPLOYMENT

Kind = Literal["server", "service", "worker"]
SECOND = "-2"
"""The suffix that makes a unit's name the name of its second instance."""


@dataclass(frozen=True)
class Unit:
    """One unit of the topology; the comments at the top of topology.toml explain each field."""

    name: str
    kind: Kind
    map: tuple[int, int]
    service: str = ""
    address: int | None = None
    second: int | None = None
    port: int | None = None
    health: str = ""
    path: str = ""
    needs: tuple[str, ...] = ()
    reads: str = ""
    uses: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def is_ours(self) -> bool:
        """Whether the unit runs code of this repository, which a learner's code may replace."""
        return self.kind != "server"


@dataclass(frozen=True)
class Published:
    """A port on 127.0.0.1, and the unit that answers there."""

    unit: str
    port: int


@dataclass(frozen=True)
class Optional:
    """A server that runs only with an option of `./lab up`; topology.toml explains each field."""

    name: str
    option: str
    address: int
    port: int
    page: str
    ports: Mapping[str, int] = field(default_factory=dict)
    needs: tuple[str, ...] = ()


_DOCUMENT = tomllib.loads((DEPLOYMENT / "topology.toml").read_text(encoding="utf-8"))
_LISTS = ("map", "needs", "uses", "faults")


def _unit(name: str, fields: dict[str, Any]) -> Unit:
    as_tuples: dict[str, Any] = {field: tuple(fields[field]) for field in _LISTS if field in fields}
    return Unit(name, **(fields | as_tuples))


BY_NAME: dict[str, Unit] = {name: _unit(name, fields) for name, fields in _DOCUMENT["units"].items()}
UNITS = tuple(BY_NAME)
"""Names of all units, in the order of the file."""
TASKS: dict[str, tuple[str, ...]] = {name: tuple(task["needs"]) for name, task in _DOCUMENT["tasks"].items()}
"""Name of each task and the units that it needs."""
TOOLS: dict[str, tuple[str, ...]] = {name: tuple(tool["uses"]) for name, tool in _DOCUMENT["tools"].items()}
"""Name of each tool and the units that it uses."""
PUBLISHED: dict[str, Published] = {
    name: Published(**fields) for name, fields in _DOCUMENT["published"].items()
}

OPTIONAL: dict[str, Optional] = {
    name: Optional(name, **(fields | {"needs": tuple(fields.get("needs", ()))}))
    for name, fields in _DOCUMENT["optional"].items()
}
SCRAPED: dict[str, tuple[int, int]] = {
    name: (entry["address"], entry["port"]) for name, entry in _DOCUMENT["scraped"].items()
}
"""Address and port at which a worker serves its metrics, if it does."""
TRACE_EDGES: dict[str, frozenset[tuple[str, str]]] = {
    name: frozenset((caller, callee) for caller, callee in edges)
    for name, edges in _DOCUMENT["trace"].items()
}
"""The edges that one request of each kind leaves in its trace."""


def of_kind(*kinds: Kind) -> tuple[str, ...]:
    """Return the names of the units of these kinds, in the order of the file."""
    return tuple(unit.name for unit in BY_NAME.values() if unit.kind in kinds)


SERVERS = of_kind("server")
SERVICES = of_kind("service")
WORKERS = of_kind("worker")
OURS = tuple(name for name, unit in BY_NAME.items() if unit.is_ours)
STORES = tuple(name for name in SERVERS if name not in ("consul", "traefik"))
"""The servers that keep the system's data."""
SECONDS = tuple(name + SECOND for name in (*SERVICES, *WORKERS))
"""The second instances, by name."""
DATABASES = tuple(name for name in SERVICES if "postgresql" in BY_NAME[name].needs)
"""The services that have a role and a database of their own in PostgreSQL, both with the service's name."""
PATHS = {name: BY_NAME[name].path for name in SERVICES}
"""Where the gateway serves each service: /api/<path>."""


def first(unit: str) -> str:
    """Return the unit that a second instance copies; return every other name unchanged."""
    return unit.removesuffix(SECOND)


def arrows() -> tuple[tuple[str, str], ...]:
    """Return the ways of requests and data, from unit to unit, as the notebooks' map draws them.

    The gateway sends requests to each service, and a service to the servers that it needs. A worker `reads`
    one server and writes to the others that it needs. Consul has arrows of its own.
    """
    found = []
    for unit in BY_NAME.values():
        if unit.kind == "service":
            found.append(("traefik", unit.name))
        elif unit.kind == "worker":
            found.append((unit.reads, unit.name))
        if unit.is_ours:
            found += [(unit.name, need) for need in unit.needs if need not in ("consul", unit.reads)]
    return tuple(found)


def database_password(service: str) -> str:
    """Return the name of the variable with the password of a service's role in PostgreSQL."""
    return f"{service.upper().replace('-', '_')}_DB_PASSWORD"


def units_with(fault: str) -> tuple[str, ...]:
    """Return the units that list `fault` in the topology."""
    return tuple(unit.name for unit in BY_NAME.values() if fault in unit.faults)


def needs(unit: str) -> tuple[str, ...]:
    """Return the units that a unit, a second instance or a task needs. Raises KeyError."""
    if unit in OPTIONAL:
        return OPTIONAL[unit].needs
    return TASKS[unit] if unit in TASKS else BY_NAME[first(unit)].needs


def calls(unit: str) -> tuple[str, ...]:
    """Return the units that a unit, a task or a tool connects to. Raises KeyError."""
    return TOOLS[unit] if unit in TOOLS else needs(unit) + (BY_NAME[unit].uses if unit in BY_NAME else ())


def addresses() -> dict[str, int]:
    """Return the last number of each listening unit's address, second instances included."""
    firsts = {unit.name: unit.address for unit in BY_NAME.values() if unit.address is not None}
    return firsts | {u.name + SECOND: u.second for u in BY_NAME.values() if u.second is not None}


def health() -> dict[str, str]:
    """Return the path at which each unit answers whether it works, of those that answer HTTP."""
    return {unit.name: unit.health for unit in BY_NAME.values() if unit.health}


def ports() -> dict[str, int]:
    """Return the port of each listening unit in its own network."""
    return {unit.name: unit.port for unit in BY_NAME.values() if unit.port is not None}
