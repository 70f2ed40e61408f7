"""Measure what the containers cost: processor time, memory, and processes that the kernel killed."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from compose.stack import Stack

V1 = Path("/sys/fs/cgroup/memory")
V2 = Path("/sys/fs/cgroup")
ENGINE = ("dockerd", "containerd", "containerd-shim", "containerd-shim-runc-v2", "docker-proxy")
MIB = 2**20


def _files(identity: str, controller: str) -> Path:
    """Return the folder with the kernel's counters for one container."""
    if V1.is_dir():
        return Path("/sys/fs/cgroup") / controller / "docker" / identity
    scope = V2 / "system.slice" / f"docker-{identity}.scope"
    return scope if scope.is_dir() else V2 / "docker" / identity


def _table(file: Path) -> dict[str, int]:
    return {name: int(value) for name, value in (line.split() for line in file.read_text().splitlines())}


def cpu_seconds(identity: str) -> float:
    """Return the processor seconds of a container, its health checks included."""
    folder = _files(identity, "cpuacct")
    if V1.is_dir():
        return int((folder / "cpuacct.usage").read_text()) / 1e9
    return _table(folder / "cpu.stat")["usage_usec"] / 1e6


def engine_seconds(root: Path) -> float:
    """Return the processor seconds of the engine below `root`, with what it needs to start health checks."""
    total = 0.0
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.name()[:15] in {name[:15] for name in ENGINE} and str(root) in " ".join(
                process.cmdline()
            ):
                total += sum(process.cpu_times()[:4])  # its own time, and that of the children it has reaped
    return total


def held(identity: str) -> int:
    """Return the bytes that the kernel cannot take back from a container: its memory without file cache."""
    folder = _files(identity, "memory")
    stat = _table(folder / "memory.stat")
    if V1.is_dir():
        used = int((folder / "memory.usage_in_bytes").read_text())
        return used - stat["total_inactive_file"] - stat["total_active_file"]
    return int((folder / "memory.current").read_text()) - stat["inactive_file"] - stat["active_file"]


def kernel_kills(identity: str) -> int:
    """Return how many processes the kernel has killed in a container, child processes included."""
    name = "memory.oom_control" if V1.is_dir() else "memory.events"
    return _table(_files(identity, "memory") / name)["oom_kill"]


def running(stack: Stack) -> dict[str, dict[str, Any]]:
    """Return the engine's description of each running container, by the name of its service."""
    label = "com.docker.compose.service"
    return {
        each["Config"]["Labels"][label]: each for each in stack.all_containers() if each["State"]["Running"]
    }


@dataclass
class Peaks:
    """The peak memory of each service in bytes; `look` must be called repeatedly."""

    bytes: dict[str, int] = field(default_factory=dict)

    def look(self, identities: dict[str, str]) -> None:
        for service, identity in identities.items():
            with suppress(OSError, KeyError):  # the container is being replaced
                self.bytes[service] = max(self.bytes.get(service, 0), held(identity))


@contextmanager
def peaks(stack: Stack, gap: float = 0.5) -> Iterator[Peaks]:
    """Measure the peaks of all containers that run now, in the background."""
    identities = {service: each["Id"] for service, each in running(stack).items()}
    found, done = Peaks(), threading.Event()

    def watch() -> None:
        while not done.wait(gap):
            found.look(identities)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()


@dataclass
class Processor:
    """The processor seconds of a load; `others` are those of all other programs of this machine."""

    containers: float = 0.0
    engine: float = 0.0
    generator: float = 0.0
    others: float = 0.0
    idle: float = 0.0

    @property
    def saturated(self) -> bool:
        """Whether no processor time was left, and this load took most of it."""
        load = self.containers + self.engine + self.generator
        return self.idle < 0.05 * (load + self.others + self.idle) and load > 4 * self.others

    def __str__(self) -> str:
        parts = {part: round(seconds) for part, seconds in vars(self).items()}
        return "processor seconds: " + ", ".join(f"{part} {seconds}" for part, seconds in parts.items())


@contextmanager
def processor(stack: Stack, root: Path) -> Iterator[Processor]:
    """Measure what the containers, the engine and the commands that run meanwhile use, and the rest."""
    identities = [each["Id"] for each in running(stack).values()]

    def now() -> tuple[float, float, float, float, float]:
        mine, machine = os.times(), psutil.cpu_times()
        busy = sum(machine[:8]) - machine.idle - machine.iowait  # the fields after these eight are in them
        return (
            sum(cpu_seconds(identity) for identity in identities), engine_seconds(root),
            mine.children_user + mine.children_system, busy, machine.idle + machine.iowait,
        )  # fmt: skip

    found, before = Processor(), now()
    try:
        yield found
    finally:
        containers, engine, generator, busy, idle = (b - a for a, b in zip(before, now(), strict=True))
        found.containers, found.engine, found.generator = containers, engine, generator
        found.others, found.idle = busy - containers - engine - generator, idle


@dataclass(frozen=True)
class Idle:
    """Processor use without any load, in percent of one core."""

    containers: float
    engine: float
    each: dict[str, float]


def idle(stack: Stack, root: Path, seconds: float = 60.0) -> Idle:
    """Measure for a minute the processor use of all running containers and of the engine."""
    identities = {service: each["Id"] for service, each in running(stack).items()}
    began, engine = time.monotonic(), engine_seconds(root)
    before = {service: cpu_seconds(identity) for service, identity in identities.items()}
    time.sleep(seconds)
    lasted = time.monotonic() - began
    each = {
        service: 100 * (cpu_seconds(identity) - before[service]) / lasted
        for service, identity in identities.items()
    }
    return Idle(sum(each.values()), 100 * (engine_seconds(root) - engine) / lasted, each)
