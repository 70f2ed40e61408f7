"""The servers of an option: built in the background, while the rest of the system comes up.

Compiling them takes some minutes on two cores. Nothing waits for them: each of their units starts its program
as soon as it is there.
"""

import os
import subprocess
import sys
from pathlib import Path

from lab import options
from lab.home import Home
from lab.install.pins import pins
from lab.install.servers import Installer

PROGRAMS = {
    "metrics": ("victoria-metrics", "victoria-metrics"),
    "alerts": ("victoria-metrics", "vmalert"),
    "traces": ("jaeger", "jaeger"),
}
"""For each server its Go module, by the name in versions.toml, and the name of its program."""
MODULES = frozenset(module for module, _ in PROGRAMS.values())
LOG = "optional-servers.log"


def programs(home: Home) -> dict[str, Path]:
    """Return where the program of each optional server is, or will be."""
    installer = Installer(home, pins())
    return {server: installer.folder(module) / program for server, (module, program) in PROGRAMS.items()}


def missing(home: Home, chosen: tuple[str, ...]) -> tuple[str, ...]:
    """Return the Go modules that the chosen options need and that are not built yet."""
    there = programs(home)
    needed = (PROGRAMS[server][0] for server in options.servers(chosen) if not there[server].exists())
    return tuple(dict.fromkeys(needed))


def begin(home: Home, chosen: tuple[str, ...]) -> tuple[str, ...]:
    """Build what is missing in a process of its own, which outlives this one; return the modules' names."""
    modules = missing(home, chosen)
    if modules:
        home.logs.mkdir(parents=True, exist_ok=True)
        with (home.logs / LOG).open("ab") as log:
            # The user's whole environment, because it may name a proxy.
            subprocess.Popen(
                [sys.executable, "-P", "-m", "lab.install", "--with", *modules],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=os.environ,
            )  # fmt: skip
    return modules
