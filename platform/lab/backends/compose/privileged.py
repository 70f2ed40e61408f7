"""Ports below 1024: not every engine may publish them, so this is checked before `up` would fail."""

import platform
from pathlib import Path

from lab.backends.compose.kinds import DESKTOP, PODMAN, Engine

FIRST_FREE = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
HELPER = Path("/var/run/com.docker.vmnetd.sock")
"""Docker Desktop's helper on macOS. Without it, Docker Desktop may not listen on 127.0.0.1:80."""
BELOW = 1024


def first(engine: Engine | None) -> int:
    """Return the lowest port that the engine may publish on 127.0.0.1."""
    if engine is None:
        return 1
    if platform.system() == "Darwin":
        return BELOW if engine.product in (DESKTOP, PODMAN) and not HELPER.exists() else 1
    if engine.rootless:
        return _from_kernel()
    return 1


def _from_kernel() -> int:
    try:
        return int(FIRST_FREE.read_text())
    except (OSError, ValueError):
        return BELOW


def remedy(engine: Engine) -> str:
    """Return how to let the engine publish lower ports."""
    if platform.system() == "Darwin":
        return "Docker Desktop: Settings, Advanced, Allow privileged port mapping"
    return "sudo sysctl net.ipv4.ip_unprivileged_port_start=80"
