"""Debian's packages: find their programs on the machine, or install them as root."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from lab.install.command import InstallFailed, Runner

POSTGRESQL_BIN = Path("/usr/lib/postgresql/15/bin")
OLDEST_JAVA = 17


def java_version() -> int | None:
    """Return the major version of `java` on PATH; None if there is none, or it does not start."""
    if not shutil.which("java"):
        return None
    done = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False)
    match = re.search(r'version "(\d+)', done.stderr)
    return int(match[1]) if match else None


def redis_version() -> int | None:
    """Return the major version of `redis-server` on PATH; None if there is none."""
    if not shutil.which("redis-server"):
        return None
    done = subprocess.run(["redis-server", "-v"], capture_output=True, text=True, check=False)
    match = re.search(r"v=(\d+)", done.stdout)
    return int(match[1]) if match else None


def faketime_library() -> Path | None:
    """Return the library that gives a process another clock; None if it is not installed."""
    return next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)


def missing(packages: dict[str, str], *, kafka_is_there: bool) -> list[str]:
    """Return the packages that must be installed, of those in versions.toml."""
    present = {
        "postgresql": (POSTGRESQL_BIN / "postgres").exists(),
        "redis": redis_version() == 7,
        "wrk": shutil.which("wrk") is not None,
        "java": (java_version() or 0) >= OLDEST_JAVA,
        # Only needed to fetch Kafka.
        "maven": kafka_is_there or shutil.which("mvn") is not None,
        "setpriv": shutil.which("setpriv") is not None,
        # Two faults need these programs, and root to use them.
        "nftables": os.geteuid() != 0 or shutil.which("nft") is not None,
        "faketime": os.geteuid() != 0 or faketime_library() is not None,
    }
    return [package for name, package in packages.items() if not present[name]]


def install(runner: Runner, packages: list[str], say: Callable[[str], None]) -> None:
    """Install packages with apt as root. Raises InstallFailed; for other users it names the command."""
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if not shutil.which("apt-get"):
        raise InstallFailed(
            f"This machine has no apt-get. Install these packages yourself: {', '.join(packages)}. Or start a"
            " Docker engine, which ./lab up then uses."
        )
    if os.geteuid() != 0:
        raise InstallFailed(
            f"Debian packages are missing. Run this once, then ./lab up again:\n  sudo {' '.join(command)}"
        )
    options = ["-o", "DPkg::Lock::Timeout=300", "-o", "APT::Update::Error-Mode=any"]
    env = {"DEBIAN_FRONTEND": "noninteractive"}

    def progress(log: str) -> str:
        last = next((line for line in reversed(log.splitlines()) if line.strip()), "")
        return f"apt-get: {last[:60]}"

    try:
        runner.run("apt", [*command, *options], say=say, progress=progress, env=env)
    except InstallFailed:
        # The package lists may be old, or were never fetched on a new machine.
        runner.run("apt-update", ["apt-get", "update", *options], say=say, progress=progress, env=env)
        runner.run("apt", [*command, *options], say=say, progress=progress, env=env)
