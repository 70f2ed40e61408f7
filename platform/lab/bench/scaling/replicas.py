"""More instances of the workers and services of a native system than its supervisor knows."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from lab.backends.protocol import Backend
from lab.backends.settings import read
from lab.home import PLATFORM, Home
from lab.ports import loopback
from lab.topology import SERVICES

FIRST_ADDRESS = 60
"""The last number of the first address; the units of the topology have smaller ones."""


def _settings(backend: Backend, unit: str, number: int) -> dict[str, str]:
    common = read("common", backend.variables()) if unit in SERVICES else {}
    settings = common | read(unit, backend.variables())
    name = f"{unit}-{number}"
    settings |= {owner: name for owner in ("RELAY_ID", "PROJECTOR_ID") if owner in settings}
    if unit in SERVICES:
        base = loopback(os.environ.get("LAB_LOOPBACK") or "127.0.0")
        settings["SERVICE_HOST"] = f"{base}.{FIRST_ADDRESS + 10 * SERVICES.index(unit) + number}"
    return settings


@contextmanager
def replicas(backend: Backend, unit: str, total: int) -> Iterator[list[int]]:
    """Run a unit `total` times, the supervisor's own instance included; yield the ids of the processes.

    What the others print is in the log of the unit's name and number, such as posts-2.log.
    """
    first = backend.pid_of(unit)
    assert first is not None, f"{unit} is not running"
    processes = []
    logs = Home.from_environment().logs
    with ExitStack() as opened:
        try:
            for number in range(2, total + 1):
                environment = os.environ | _settings(backend, unit, number)
                environment |= {"PYTHONPATH": str(PLATFORM), "LOG_LEVEL": "WARNING"}
                command = [sys.executable, "-P", "-m", "civildiy", unit]
                log = opened.enter_context((logs / f"{unit}-{number}.log").open("wb"))
                processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
            yield [first, *(process.pid for process in processes)]
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait()
