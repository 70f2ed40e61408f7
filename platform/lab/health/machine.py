"""The machine below the system: room on the disk, and units that do not stay up."""

import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from lab.backends.protocol import Backend, Unit
from lab.health.finding import Finding, Findings
from lab.home import Home
from lab.topology import UNITS

LEAST_DISK = 1_000_000_000
"""Bytes; the servers stop to write, some without a message, when there is no room."""
RESTARTS = 3
RECENT_SECONDS = 60.0


def look_at_disk(home: Home) -> Findings:
    """Whether there is room where the native backend stores its data."""
    place = next(path for path in (home.root, *home.root.parents) if path.exists())
    yield judge_disk(place, shutil.disk_usage(place).free)


def judge_disk(place: Path, free: int) -> Finding:
    """`free` in bytes."""
    seen = f"{free / 1e9:.1f} GB free at {place}"
    remedy = f"make {LEAST_DISK / 1e9:.0f} GB free at {place}, or set LAB_HOME to a folder on another disk"
    return Finding(
        "disk", seen if free >= LEAST_DISK else f"nearly full: {seen}", "" if free >= LEAST_DISK else remedy
    )


def look_at_units(backend: Backend) -> Findings:
    """Units that are down, or that end by themselves again and again."""
    units = backend.units()
    if not any(unit.pid or unit.state not in ("stopped", "not seen") for unit in units):
        raise OSError("the supervisor does not report any unit that runs")
    found = [*judge_units(units, time.time())]
    yield from found or [Finding("units", f"all {len(UNITS)} run")]


def judge_units(units: Iterable[Unit], now: float) -> Findings:
    """What is wrong with them at the time `now` (Unix seconds)."""
    for unit in units:
        young = unit.since is None or now - unit.since < RECENT_SECONDS
        if unit.restarts >= RESTARTS and young:
            seen = f"{unit.name} keeps restarting: it ended by itself {unit.restarts} times"
            yield Finding("units", seen, f"./lab logs {unit.name} shows why it ends")
        elif unit.state not in ("running", "starting", "not seen"):
            yield Finding("units", f"{unit.name} is {unit.state}", f"./lab up; why: ./lab logs {unit.name}")
