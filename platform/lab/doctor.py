"""Check the machine and the running system for problems before they break something."""

import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from lab import processor
from lab.backends.compose import diagnosis
from lab.backends.compose.backend import ComposeBackend
from lab.backends.kubernetes import diagnosis as cluster
from lab.backends.kubernetes.backend import KubernetesBackend
from lab.backends.native import network
from lab.backends.protocol import Backend
from lab.errors import LabError
from lab.finding import Finding
from lab.health.examine import examine as examine_system
from lab.home import REPO, Home
from lab.install import debian, registries
from lab.install.pins import pins
from lab.install.registries import Registry
from lab.install.servers import Installer

GB = 1e9
MEMORY_GB = 2.0
BUILD_DISK_GB, RUN_DISK_GB = 6.0, 1.0


def examine(home: Home, backend: Backend) -> Iterator[Finding]:
    """Yield the finding of each check, one after the other."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    yield Finding("Python", version, "" if sys.version_info >= (3, 11) else "install Python 3.11 or newer")
    yield Finding("backend", backend.kind)
    if isinstance(backend, KubernetesBackend):
        findings = cluster.findings(backend.kubectl)
    else:
        findings = _compose(backend) if isinstance(backend, ComposeBackend) else _native(home, backend)
    ports_fit = True
    for finding in findings:
        ports_fit = ports_fit and not (finding.what == "port" and finding.remedy)
        yield finding
    if ports_fit and backend.running():  # with other ports, no server would be found at its address
        yield from examine_system(home, backend, without=("disk",))


def _compose(backend: ComposeBackend) -> Iterator[Finding]:
    yield processor.finding()
    for finding in diagnosis.findings():
        yield finding
        if finding.what == "container engine" and finding.remedy:
            return
    yield _disk(REPO, RUN_DISK_GB)
    yield from _ports(backend.running(), backend.refuse_taken_ports, backend.refuse_wrong_settings)


def _native(home: Home, backend: Backend) -> Iterator[Finding]:
    running = backend.running()
    yield _machine()
    yield processor.finding()
    installer = Installer(home, pins())
    complete = installer.is_complete()
    yield _memory(running)
    yield from (_disk(home.root, RUN_DISK_GB if complete else BUILD_DISK_GB), _debian(complete))
    java = debian.java_version()
    yield Finding("Java", str(java or "none"), "" if java or not complete else "apt-get install a JRE of 17+")
    yield from _ports(running, network.refuse_taken_ports, backend.refuse_wrong_settings)
    if needed := registries.still_needed(home, pins()):
        yield from _registries(needed)
    else:
        yield Finding("servers", "installed, so no registry is needed")


def _machine() -> Finding:
    seen = f"{platform.system()} on {platform.machine()}"
    good = seen == "Linux on x86_64"
    return Finding("machine", seen, "" if good else "the native backend needs Linux on x86_64; use Docker")


def _memory(running: bool) -> Finding:
    free = psutil.virtual_memory().available / GB
    # A running system has its memory already.
    enough = running or free >= MEMORY_GB
    remedy = "" if enough else f"close other programs: the system needs {MEMORY_GB:.0f} GB of free memory"
    return Finding("memory", f"{free:.1f} GB available", remedy)


def _disk(folder: Path, needed: float) -> Finding:
    place = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(place).free / GB
    remedy = "" if free >= needed else f"free {needed:.0f} GB at {place}, or set LAB_HOME to another disk"
    return Finding("disk", f"{free:.0f} GB free at {place}", remedy)


def _debian(complete: bool) -> Finding:
    missing = debian.missing(pins().debian, kafka_is_there=complete)
    if not missing:
        return Finding("Debian packages", "all installed")
    command = f"apt-get install -y --no-install-recommends {' '.join(missing)}"
    remedy = "./lab up installs them" if os.geteuid() == 0 else f"sudo {command}"
    return Finding("Debian packages", "missing: " + " ".join(missing), remedy)


def _ports(
    running: bool, refuse_taken: Callable[[], None], refuse_wrong: Callable[[], None] = lambda: None
) -> Iterator[Finding]:
    try:
        (refuse_wrong if running else refuse_taken)()
    except LabError as taken:
        for line in str(taken).splitlines():
            seen, *remedy = re.split(r"\. (?=Stop|Move|Give|Use)|; (?=set)", line, maxsplit=1)
            yield Finding("port", seen, "".join(remedy) or line)
    else:
        yield Finding("ports", "in use by the running system" if running else "all are free")


def _registries(needed: list[Registry]) -> Iterator[Finding]:
    for answer in registries.ask(needed):
        what, needed_for = f"registry of {answer.registry.name}", answer.registry.needed_for
        if not answer.registry.command:
            yield Finding(what, f"not checked, because ./lab up installs its client first (for {needed_for})")
        elif not answer.failed:
            yield Finding(what, f"reachable (for {needed_for})")
        elif answer.registry.otherwise:
            yield Finding(what, f"not reached, so {answer.registry.otherwise} ({answer.failed[:200]})")
        else:
            remedy = f"check the network, then {answer.registry.settings}"
            yield Finding(what, f"not reached (for {needed_for}): {answer.failed[:200]}", remedy)
