"""One instance among several, asked directly: the gateway would choose for itself."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lab.backends.addresses import Addresses
from lab.backends.lifecycle import Lifecycle
from lab.backends.settings import read
from lab.errors import LabError
from lab.probes import local_http
from lab.probes.readiness import slow
from lab.topology import SECOND

START_SECONDS = 15.0


def port(backend: Addresses) -> int:
    """The port on which every service listens."""
    return int(read("common", backend.variables())["SERVICE_PORT"])


def answered(backend: Addresses, unit: str, path: str) -> int:
    """Requests to `path` that an instance has answered, by its own count. Raises httpx.HTTPError."""
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


def _wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + START_SECONDS * slow()
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"Waited {START_SECONDS * slow():.0f} s for {what}. Look: ./lab status")
        time.sleep(0.05)
