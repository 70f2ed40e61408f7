"""Faults of the native backend: paused processes, dropped packets, full disks, wrong clocks."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress

import psutil

from lab.backends import overrides
from lab.backends.native import network, postgresql, processes
from lab.errors import LabError
from lab.home import Home
from lab.install.debian import faketime_library
from lab.topology import OPTIONAL, SECONDS, UNITS

CLOCK = ("LD_PRELOAD", "FAKETIME", "FAKETIME_DONT_FAKE_MONOTONIC")


class NativeFaults:
    """The faults of a unit that runs as a process of this machine."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._frozen: dict[str, list[psutil.Process]] = {}

    def pid_of(self, unit: str) -> int | None:
        """Return the pid of a unit, None while it is down."""
        raise NotImplementedError

    def override(self, unit: str, settings: Mapping[str, str]) -> None:
        """Restart the unit with settings in addition to its own."""
        raise NotImplementedError

    def freeze(self, unit: str) -> None:
        """Send SIGSTOP to the process and its children; the parent first, so that it starts no new child."""
        main = psutil.Process(self._pid(unit))
        self._frozen[unit] = [main, *main.children(recursive=True)]
        for process in self._frozen[unit]:
            with suppress(psutil.NoSuchProcess):
                process.suspend()

    def thaw(self, unit: str) -> None:
        """Send SIGCONT to what was paused; if another process paused it, to all that work in its folder."""
        for process in self._frozen.pop(unit, None) or self._family(unit):
            with suppress(psutil.NoSuchProcess):
                process.resume()

    def cut_off(self, unit: str) -> None:
        """Drop all packets of the unit's group: this also works for a worker, which has no address."""
        if not shutil.which("nft") or not _is_root():
            raise LabError(
                "To cut a unit off, ./lab needs root and the package nftables.\n"
                f"Something similar works without them: ./lab break pause {unit}"
            )
        self._pid(unit)
        drop = f"meta skgid {network.group(self._home, unit)} drop"
        _nft(
            f"{_removal(self._table(unit))}\ntable inet {self._table(unit)} {{\n"
            f" chain sent {{ type filter hook output priority 0; {drop}; }}\n"
            f" chain received {{ type filter hook input priority 0; {drop}; }}\n}}"
        )

    def reconnect(self, unit: str) -> None:
        """Remove the rules of the packet filter."""
        if shutil.which("nft") and _is_root():
            _nft(_removal(self._table(unit)))

    def fill_disk(self, unit: str) -> None:
        """Limit the size of the unit's files: an append then fails as on a full disk (EFBIG, not ENOSPC)."""
        files = [path.stat() for path in (self._home.data / unit).rglob("*") if path.is_file()]
        # The file with the newest change is the one to which the unit appends.
        limit = max(files, key=lambda file: file.st_mtime).st_size if files else 0
        self._limit_files(unit, self._pid(unit), str(limit))

    def free_disk(self, unit: str) -> None:
        """Let the unit's files grow again."""
        for process in self._family(unit):
            with suppress(LabError):  # the process may just have ended
                self._limit_files(unit, process.pid, "unlimited")

    def skew_clock(self, unit: str, seconds: int) -> None:
        """Give the process another time with libfaketime; its timers stay correct."""
        settings = overrides.read(self._home, unit)
        kept = {name: value for name, value in settings.items() if name not in CLOCK}
        if seconds:
            library = faketime_library()
            if library is None:
                raise LabError(
                    "To change a unit's clock, ./lab needs libfaketime."
                    " Install it: apt-get install -y libfaketime"
                )
            kept |= dict(zip(CLOCK, (str(library), f"{seconds:+d}s", "1"), strict=True))
        if kept != settings:
            self.override(unit, kept)

    def _limit_files(self, unit: str, pid: int, size: str) -> None:
        # The kernel lets a process change the limits of another one with the same user and group.
        command = [*processes.as_group(self._home, unit), "prlimit", f"--pid={pid}", f"--fsize={size}:"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"The file size limit of {unit} could not be changed: {done.stderr.strip()}")

    def _pid(self, unit: str) -> int:
        if unit not in (*UNITS, *SECONDS, *OPTIONAL):
            raise LabError(f"There is no unit {unit}. Units: {', '.join(UNITS)}.")
        pid = self.pid_of(unit)
        if pid is None:
            raise LabError(f"{unit} is not running. Start it: ./lab up. See its state: ./lab status")
        return pid

    def _family(self, unit: str) -> Iterator[psutil.Process]:
        """Yield the processes that work in the unit's folder, also those that have lost their parent."""
        places = [str(self._home.run / "work" / unit), str(self._home.data / unit)]
        places += [str(postgresql.data_folder(self._home))] if unit == "postgresql" else []
        for process in psutil.process_iter(["cwd"]):
            if (process.info["cwd"] or "").removesuffix(" (deleted)") in places:
                yield process

    def _table(self, unit: str) -> str:
        return f"civildiy_lab_{network.group(self._home, unit)}"


def _is_root() -> bool:
    return os.geteuid() == 0


def _removal(table: str) -> str:
    # Created first, because deleting a missing table is an error; both happen in one transaction.
    return f"table inet {table}\ndelete table inet {table}"


def _nft(commands: str) -> None:
    done = subprocess.run(["nft", "-f", "-"], input=commands, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"The packet filter (nft) refused the change: {done.stderr.strip()}")
