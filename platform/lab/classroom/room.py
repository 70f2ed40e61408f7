"""Check a machine for a class before the class begins: `./lab doctor --class`.

It answers what `./lab doctor` does not ask: is everything there for a room without a network, how many
systems fit on this machine, and can learners reach it?
"""

import os
import platform
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from lab.classroom import bundle, trial
from lab.classroom.listen import PORT, reached_at
from lab.finding import Finding
from lab.health import clocks
from lab.home import REPO, Home

GB = 1e9
SYSTEM_MEMORY_GB = 1.4
"""Memory for one learner: the native system, JupyterLab with one kernel, and a check (measured; room.md)."""
SYSTEM_DISK_GB = 1.5
"""Disk for one learner: data, logs, a clone and its .venv. The servers are installed once."""
RESERVE_GB = 1.0
LEARNERS_A_CORE = 4
"""Systems at rest need little; this many that check at the same time keep within doubled deadlines."""


def examine(home: Home, learners: int, archive: Path | None) -> Iterator[Finding]:
    """Yield one finding after the other. `learners` is the number of systems that this machine has to run."""
    yield _memory(learners)
    yield _cores(learners)
    yield _disk(home, learners)
    yield from _clock()
    yield _port()
    yield _address()
    yield _judging(home)
    yield from bundle.examine(archive)


def fitting() -> int:
    """Return how many learners' systems fit into the free memory of this machine."""
    return max(0, int((psutil.virtual_memory().available / GB - RESERVE_GB) / SYSTEM_MEMORY_GB))


def _memory(learners: int) -> Finding:
    free = psutil.virtual_memory().available / GB
    needed = learners * SYSTEM_MEMORY_GB + RESERVE_GB
    seen = f"{free:.1f} GB available; {fitting()} {_systems(fitting())} at {SYSTEM_MEMORY_GB} GB each"
    more = f"add memory (this class needs {needed:.0f} GB here), or use more machines"
    return Finding("memory for the class", seen, "" if free >= needed else more)


def _cores(learners: int) -> Finding:
    cores = os.cpu_count() or 1
    slow = learners > cores * LEARNERS_A_CORE
    seen = f"{cores} cores for {learners} {_systems(learners)}"
    more = f"use more machines: at most {LEARNERS_A_CORE} learners a core; set LAB_SLOW=2 for slow ones"
    return Finding("processor for the class", seen, more if slow else "")


def _disk(home: Home, learners: int) -> Finding:
    place = next(path for path in (home.root, *home.root.parents) if path.exists())
    free, needed = shutil.disk_usage(place).free / GB, learners * SYSTEM_DISK_GB
    remedy = "" if free >= needed else f"free {needed:.0f} GB at {place}, or set LAB_HOME to another disk"
    return Finding("disk for the class", f"{free:.0f} GB free at {place}, {needed:.0f} GB needed", remedy)


def _clock() -> Iterator[Finding]:
    """Yield whether the clock is later than the course's files, and whether a time server keeps it right."""
    yield from (
        f for f in clocks.judge({}, time.time(), (REPO / "pyproject.toml").stat().st_mtime) if f.remedy
    )
    try:
        said = subprocess.run(
            ["timedatectl", "show", "--property=NTPSynchronized", "--value"],
            capture_output=True, text=True, timeout=5, check=False,
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        said = ""
    seen = f"{time.strftime('%F %T %Z')}, " + {
        "yes": "kept right by a time server", "no": "not kept right by a time server",
    }.get(said, "compare it with another machine")  # fmt: skip
    yield Finding("clock", seen, clocks.SET_CLOCK if said == "no" else "")


def _port() -> Finding:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", PORT))  # noqa: S104 - asks only whether it is free
        except OSError as error:
            why = error.strerror or str(error)
            remedy = (
                "another collector may be running: ./lab class overview;"
                " or choose another port: ./lab class listen --port PORT"
            )
            return Finding("port of the collector", f"{PORT} is not free ({why})", remedy)
    return Finding("port of the collector", f"{PORT} is free")


def _address() -> Finding:
    address = reached_at("0.0.0.0")  # noqa: S104 - stands for all addresses of this machine
    if address.startswith("127."):
        remedy = (
            "connect the machine to the room's network;"
            " or collect in a shared folder: ./lab class overview FOLDER"
        )
        return Finding("address for learners", "only this machine can reach itself", remedy)
    return Finding("address for learners", f"{address}, if the room's network lets machines reach each other")


def _judging(home: Home) -> Finding:
    """Return whether this machine can judge submissions. It is no problem if not: one machine is enough."""
    if platform.system() != "Linux":
        return Finding("judging submissions", "not possible here: it needs Linux")
    found = trial.tried(home)
    seen = (
        f"not possible here: {' '.join(found.refusal.split())}"
        if found.refusal
        else trial.sentences(found)[0]
    )
    return Finding("judging submissions", seen)


def _systems(number: int) -> str:
    return "system" if number == 1 else "systems"
