"""More instances of the workers and services of a native system than its supervisor knows."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from lab.backends.protocol import Backend
from lab.backends.settings import read
from lab.home import PLATFORM
from lab.topology import SERVICES

FIRST_ADDRESS = 60
"""The last number of the first address; the units of the topology have smaller ones."""


def _settings(backend: Backend, unit: str, number: int) -> dict[str, str]:
    common = read("common", backend.variables()) if unit in SERVICES else {}
    settings = common | read(unit, backend.variables())
    name = f"{unit}-{number}"
    settings |= {owner: name for owner in ("RELAY_ID", "PROJECTOR_ID") if owner in settings}
    if unit in SERVICES:
        settings["SERVICE_HOST"] = f"127.0.0.{FIRST_ADDRESS + 10 * SERVICES.index(unit) + number}"
    return settings


@contextmanager
def replicas(backend: Backend, unit: str, total: int) -> Iterator[list[int]]:
    """Run a unit `total` times, the supervisor's own instance included; yield the ids of the processes."""
    first = backend.pid_of(unit)
    assert first is not None, f"{unit} is not running"
    processes = []
    try:
        for number in range(2, total + 1):
            environment = os.environ | _settings(backend, unit, number)
            environment |= {"PYTHONPATH": str(PLATFORM), "LOG_LEVEL": "WARNING"}
            command = [sys.executable, "-P", "-m", "civildiy", unit]
            processes.append(subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL))
        yield [first, *(process.pid for process in processes)]
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
