"""A record of the active faults: one small file for each, so that any later command can end it."""

import json
import os
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from lab.home import Home


@dataclass(frozen=True)
class Entry:
    """One active fault. `until` is in Unix seconds; `guardian` is the pid of the process that ends it.

    `born` is the start time of that process. It tells the process from a later one with the same pid.
    """

    fault: str
    unit: str
    until: float
    guardian: int
    born: float

    def guardian_process(self) -> psutil.Process | None:
        """Return the guardian's process while it runs, else None."""
        try:
            process = psutil.Process(self.guardian)
            ended = process.status() == psutil.STATUS_ZOMBIE  # it ended, and its parent has not noticed
            return process if not ended and abs(process.create_time() - self.born) < 1 else None
        except psutil.Error:
            return None


def folder(home: Home) -> Path:
    """Return the folder of the record; `reset` does not delete it, because packet filter rules stay, too."""
    return home.root / "faults"


def path(home: Home, fault: str, unit: str) -> Path:
    """Return the file of one fault of one unit."""
    return folder(home) / f"{fault}--{unit}.json"


def enter(home: Home, fault: str, unit: str, until: float) -> Path:
    """Record that this process is the guardian of a fault, and return the file."""
    file = path(home, fault, unit)
    file.parent.mkdir(parents=True, exist_ok=True)
    entry = Entry(fault, unit, until, os.getpid(), psutil.Process().create_time())
    new = file.with_suffix(".new")
    new.write_text(json.dumps(asdict(entry)))
    new.replace(file)
    return file


def entries(home: Home) -> list[Entry]:
    """Return all active faults."""
    found = []
    for file in sorted(folder(home).glob("*.json")):
        try:
            found.append(Entry(**json.loads(file.read_text())))
        except (OSError, ValueError, TypeError):
            file.unlink(missing_ok=True)  # half-written by a killed process, or deleted meanwhile
    return found


def dismiss(entry: Entry, seconds: float = 10.0) -> None:
    """Tell the guardian to end its fault now, and wait for it; kill it after `seconds`."""
    process = entry.guardian_process()
    if process is None:
        return
    try:
        process.send_signal(signal.SIGTERM)
        process.wait(seconds)
    except psutil.TimeoutExpired:
        process.kill()
    except psutil.NoSuchProcess:
        return


def remaining(entry: Entry) -> float:
    """Return the seconds until the fault ends by itself."""
    return max(0.0, entry.until - time.time())
