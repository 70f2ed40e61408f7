"""Query one instance of a service directly: the gateway would choose an instance by itself."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import quote

import httpx

from lab.backends.addresses import Addresses
from lab.backends.lifecycle import Lifecycle
from lab.backends.settings import read
from lab.deadlines import slow
from lab.errors import LabError
from lab.probes import local_http
from lab.topology import SECOND, SECONDS, SERVICES, first

START_SECONDS = 15.0


def port(backend: Addresses) -> int:
    """Return the port on which every service listens."""
    return int(read("common", backend.variables())["SERVICE_PORT"])


def answered(backend: Addresses, unit: str, path: str) -> int:
    """Return how many requests to `path` an instance has answered (its metrics). Raises httpx.HTTPError."""
    address = backend.reach(unit)
    if ":" not in address:
        address = f"{address}:{port(backend)}"
    text = local_http.get(f"http://{address}/metrics", timeout=5).text
    lines = [line for line in text.splitlines() if "_count{" in line and f'"{path}"' in line]
    return int(sum(float(line.rsplit(" ", 1)[1]) for line in lines))


@contextmanager
def second_instance(backend: Lifecycle, service: str) -> Iterator[str]:
    """Run a second instance of a service; yields its unit. Raises LabError when it does not start or end."""
    unit = f"{service}{SECOND}"

    def runs() -> bool:
        return backend.pid_of(unit) is not None

    _wait_until(lambda: not runs(), f"an earlier {unit} to end")
    backend.start_unit(unit)
    try:
        _wait_until(runs, f"{unit} to start")
        yield unit
    finally:
        backend.stop_unit(unit)
        _wait_until(lambda: not runs(), f"{unit} to end")


@contextmanager
def deregistered_afterwards(backend: Addresses, unit: str) -> Iterator[None]:
    """Remove what Consul's catalog lists at the address of `unit`, which has ended when the block ends.

    A killed instance cannot deregister, and its supervisor may end it before it has registered again. Consul
    by itself removes its entry only after a minute.
    """
    try:
        yield
    finally:
        with suppress(httpx.HTTPError):  # without Consul there is no catalog
            _deregister(backend.endpoints()["consul"], backend.host(unit))


def _deregister(consul: str, host: str) -> None:
    entries = local_http.get(f"{consul}/v1/agent/services", timeout=5).raise_for_status().json()
    for entry in entries.values():
        if entry["Address"] == host:
            url = f"{consul}/v1/agent/service/deregister/{quote(entry['ID'], safe='')}"
            local_http.put(url, timeout=5).raise_for_status()


def instance_ids(backend: Addresses) -> dict[str, str]:
    """Return the id under which each unit, second instances included, registers itself by default."""
    return {unit: f"{first(unit)}-{backend.host(unit)}" for unit in (*SERVICES, *SECONDS)}


def _wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + START_SECONDS * slow()
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(
                f"Waited {START_SECONDS * slow():.0f} s for {what}. See the state of all units: ./lab status"
            )
        time.sleep(0.05)
