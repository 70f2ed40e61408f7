"""Which faults are on: one small file for each, so that any later command can end it."""

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
    """One fault that is on. `until` in Unix seconds; `guardian` ends it, `born` tells it from a later pid."""

    fault: str
    unit: str
    until: float
    guardian: int
    born: float

    def guardian_process(self) -> psutil.Process | None:
        """The guardian, when it still runs."""
        try:
            process = psutil.Process(self.guardian)
            ended = process.status() == psutil.STATUS_ZOMBIE  # its parent has not looked yet
            return process if not ended and abs(process.create_time() - self.born) < 1 else None
        except psutil.Error:
            return None


def folder(home: Home) -> Path:
    """Outside of what `reset` deletes: a rule of the packet filter outlives the data."""
    return home.root / "faults"


def path(home: Home, fault: str, unit: str) -> Path:
    """The file of one fault of one unit."""
    return folder(home) / f"{fault}--{unit}.json"


def enter(home: Home, fault: str, unit: str, until: float) -> Path:
    """Note that this process is the guardian of a fault."""
    file = path(home, fault, unit)
    file.parent.mkdir(parents=True, exist_ok=True)
    entry = Entry(fault, unit, until, os.getpid(), psutil.Process().create_time())
    new = file.with_suffix(".new")
    new.write_text(json.dumps(asdict(entry)))
    new.replace(file)
    return file


def entries(home: Home) -> list[Entry]:
    """All faults that are on."""
    found = []
    for file in sorted(folder(home).glob("*.json")):
        try:
            found.append(Entry(**json.loads(file.read_text())))
        except (OSError, ValueError, TypeError):
            file.unlink(missing_ok=True)  # cut off while it was written, or gone meanwhile
    return found


def dismiss(entry: Entry, seconds: float = 10.0) -> None:
    """Ask the guardian to end its fault now, and wait; one that does not listen is killed."""
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
    """Seconds until the fault ends by itself."""
    return max(0.0, entry.until - time.time())
