"""Recognise the container engine from the output of `docker info` and `docker version`.

The operating system alone does not tell: WSL is Linux, but Docker Desktop runs its containers in another
virtual machine. A rootless engine cannot be recognised by its version either.
"""

import platform
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DESKTOP, RANCHER, COLIMA, ORBSTACK = "Docker Desktop", "Rancher Desktop", "Colima", "OrbStack"
PODMAN, DOCKER = "Podman", "Docker Engine"
ROOTLESS_STORAGE = "/.local/share/containers/"


@dataclass(frozen=True)
class Engine:
    """What is known about the engine, the plugins of its client, and the engine's machine."""

    product: str
    version: str
    memory: int
    """Bytes."""
    architecture: str = ""
    rootless: bool = False
    elsewhere: bool = False
    """The containers run in a virtual machine, on another machine, or outside this container."""
    foreign: str = ""
    """The engine's machine, if its containers cannot mount the files of this machine."""
    limits: bool = True
    """Whether the engine enforces memory limits."""
    pauses: bool = True
    """Whether the engine can pause a container; without cgroups it cannot."""
    proxy: str = ""
    podman_command: bool = False
    """`docker` is Podman's own command, not Docker's client."""
    compose: str = ""
    buildx: str = ""

    @property
    def reached_by(self) -> str:
        """`network` when this machine can reach the containers' own addresses, else `published`."""
        return "published" if self.elsewhere or self.rootless else "network"

    @property
    def shares_processes(self) -> bool:
        """Whether the process ids that the engine reports are ids of this machine."""
        return not self.elsewhere

    @property
    def name(self) -> str:
        """Product and version, for a message."""
        rootless = " (rootless)" if self.rootless else ""
        return f"{self.product} {self.version}{rootless}"


@dataclass(frozen=True)
class Host:
    """The machine that this program runs on."""

    name: str
    kernel: str

    @staticmethod
    def this() -> "Host":
        """Read both from the kernel, as an engine does."""
        return Host(socket.gethostname(), platform.release())


def recognise(info: Mapping[str, Any], version: Mapping[str, Any], host: Host, endpoint: str = "") -> Engine:
    """Return the engine that two JSON documents describe. `endpoint`: the engine's address, if it was set."""
    if "host" in info and "store" in info:
        return _podman_command(info)
    product = _product(info, version)
    security = info.get("SecurityOptions") or []
    # Podman does not report "rootless", but a rootless Podman stores its images in a home folder.
    rootless = "name=rootless" in security or ROOTLESS_STORAGE in str(info.get("DockerRootDir"))
    name, kernel = str(info.get("Name", "")), str(info.get("KernelVersion", ""))
    client = (version.get("Client") or {}).get("Os", "linux")
    virtual = product not in (DOCKER, PODMAN) or client != "linux" or kernel != host.kernel
    outside = not virtual and name != host.name
    remote = endpoint.startswith(("ssh:", "tcp:")) and not _loopback(endpoint)
    return Engine(
        product=product,
        version=str(info.get("ServerVersion", "")),
        memory=int(info.get("MemTotal") or 0),
        architecture=str(info.get("Architecture", "")),
        rootless=rootless,
        elsewhere=virtual or outside or remote,
        foreign=name if outside or remote else "",
        # Podman reports false even where it enforces the limits.
        limits=bool(info.get("MemoryLimit", True)) or product == PODMAN,
        pauses=info.get("CgroupDriver") != "none",
        proxy=_proxy(info),
    )


def _proxy(info: Mapping[str, Any]) -> str:
    proxy = str(info.get("HttpsProxy") or info.get("HttpProxy") or "")
    # Docker Desktop always names its internal proxy, which follows its settings.
    return "" if "docker.internal" in proxy else proxy


def _product(info: Mapping[str, Any], version: Mapping[str, Any]) -> str:
    server = version.get("Server") or {}
    components = [part.get("Name") for part in server.get("Components") or []]
    system, name = str(info.get("OperatingSystem", "")), str(info.get("Name", ""))
    labels = info.get("Labels") or []
    if "Podman Engine" in components:
        return PODMAN
    if system.startswith(DESKTOP) or any(label.startswith("com.docker.desktop.") for label in labels):
        return DESKTOP
    if system.startswith(RANCHER) or "rancher-desktop" in name:
        return RANCHER
    if name.startswith("colima"):
        return COLIMA
    return ORBSTACK if system.startswith(ORBSTACK) else DOCKER


def _podman_command(info: Mapping[str, Any]) -> Engine:
    """Read the output of Podman's own `info`, which has another form than Docker's."""
    there = info["host"]
    return Engine(
        product=PODMAN,
        version=str((info.get("version") or {}).get("Version", "")),
        memory=int(there.get("memTotal") or 0),
        architecture=str(there.get("arch", "")),
        rootless=bool((there.get("security") or {}).get("rootless")),
        podman_command=True,
    )


def _loopback(endpoint: str) -> bool:
    host = endpoint.partition("://")[2].rpartition("@")[2]
    return host.startswith(("127.", "localhost", "[::1]"))
