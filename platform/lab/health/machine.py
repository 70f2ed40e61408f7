"""Check the machine below the system: free space on the disk, and units that do not stay up."""

import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from lab.backends.protocol import Backend, Unit
from lab.finding import Finding, Findings
from lab.home import Home
from lab.topology import UNITS

LEAST_DISK = 1_000_000_000
"""Bytes. A server that finds no space stops writing, and not every server logs why."""
RESTARTS = 3
RECENT_SECONDS = 60.0


def look_at_disk(home: Home) -> Findings:
    """Yield whether the disk that holds the native backend's data has free space."""
    place = next(path for path in (home.root, *home.root.parents) if path.exists())
    yield judge_disk(place, shutil.disk_usage(place).free)


def judge_disk(place: Path, free: int) -> Finding:
    """Return the finding for `free` bytes at `place`."""
    seen = f"{free / 1e9:.1f} GB free at {place}"
    remedy = f"free {LEAST_DISK / 1e9:.0f} GB at {place}, or set LAB_HOME to a folder on another disk"
    return Finding(
        "disk", seen if free >= LEAST_DISK else f"nearly full: {seen}", "" if free >= LEAST_DISK else remedy
    )


def look_at_units(backend: Backend) -> Findings:
    """Yield units that are down, or that keep ending by themselves. Raises OSError when none is reported."""
    units = backend.units()
    if not any(unit.pid or unit.state not in ("stopped", "not seen") for unit in units):
        raise OSError("the supervisor does not report any running unit")
    findings = [*judge_units(units, time.time())]
    yield from findings or [Finding("units", f"all {len(UNITS)} run")]


def judge_units(units: Iterable[Unit], now: float) -> Findings:
    """Yield what is wrong with the units at the time `now` (Unix seconds)."""
    for unit in units:
        young = unit.since is None or now - unit.since < RECENT_SECONDS
        if unit.state == "paused":  # first: it stays so, while restarts may be over
            seen = f"{unit.name} is paused, so it neither works nor ends"
            yield Finding("units", seen, f"./lab heal; if that does not help: ./lab restart {unit.name}")
        elif unit.restarts >= RESTARTS and young:
            seen = f"{unit.name} keeps restarting: it ended by itself {unit.restarts} times"
            yield Finding("units", seen, f"./lab logs {unit.name} shows why it ends")
        elif unit.state not in ("running", "starting", "not seen"):
            yield Finding(
                "units", f"{unit.name} is {unit.state}", f"./lab up; find the cause: ./lab logs {unit.name}"
            )
