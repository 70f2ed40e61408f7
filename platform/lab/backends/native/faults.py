"""Faults of the native backend: frozen processes, dropped packets, full disks, wrong clocks."""

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
from lab.topology import SECONDS, UNITS

CLOCK = ("LD_PRELOAD", "FAKETIME", "FAKETIME_DONT_FAKE_MONOTONIC")


class NativeFaults:
    """What can be done to a unit that is a process of this machine."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._frozen: dict[str, list[psutil.Process]] = {}

    def pid_of(self, unit: str) -> int | None:
        """Process id of a unit, None while it does not run."""
        raise NotImplementedError

    def override(self, unit: str, settings: Mapping[str, str]) -> None:
        """Settings on top of the unit's own, from now on."""
        raise NotImplementedError

    def freeze(self, unit: str) -> None:
        """SIGSTOP to the whole family; the eldest first, so that it starts nothing new."""
        main = psutil.Process(self._pid(unit))
        self._frozen[unit] = [main, *main.children(recursive=True)]
        for process in self._frozen[unit]:
            with suppress(psutil.NoSuchProcess):
                process.suspend()

    def thaw(self, unit: str) -> None:
        """SIGCONT to what was frozen; from another process to all that work in the unit's folder."""
        for process in self._frozen.pop(unit, None) or self._family(unit):
            with suppress(psutil.NoSuchProcess):
                process.resume()

    def cut_off(self, unit: str) -> None:
        """Drop all packets of the unit's group: a service, a server or a worker without address alike."""
        if not shutil.which("nft") or not _is_root():
            raise LabError(
                "To cut a unit off the packet filter is needed: run as root, with the package nftables.\n"
                f"Without them something close is possible: ./lab break pause {unit}"
            )
        self._pid(unit)
        drop = f"meta skgid {network.group(self._home, unit)} drop"
        _nft(
            f"{_removal(self._table(unit))}\ntable inet {self._table(unit)} {{\n"
            f" chain sent {{ type filter hook output priority 0; {drop}; }}\n"
            f" chain received {{ type filter hook input priority 0; {drop}; }}\n}}"
        )

    def reconnect(self, unit: str) -> None:
        """Remove the rules."""
        if shutil.which("nft") and _is_root():
            _nft(_removal(self._table(unit)))

    def fill_disk(self, unit: str) -> None:
        """No file of the unit may grow: an append fails as it does on a full disk (EFBIG for ENOSPC)."""
        files = [path.stat() for path in (self._home.data / unit).rglob("*") if path.is_file()]
        # What was written to last is what it appends to.
        limit = max(files, key=lambda file: file.st_mtime).st_size if files else 0
        self._limit_files(unit, self._pid(unit), str(limit))

    def free_disk(self, unit: str) -> None:
        """Files may grow again."""
        for process in self._family(unit):
            with suppress(LabError):  # it may just have ended
                self._limit_files(unit, process.pid, "unlimited")

    def skew_clock(self, unit: str, seconds: int) -> None:
        """Another time for the process by libfaketime; its timers go on as they are."""
        settings = overrides.read(self._home, unit)
        kept = {name: value for name, value in settings.items() if name not in CLOCK}
        if seconds:
            library = faketime_library()
            if library is None:
                raise LabError("Another clock needs a package: apt-get install -y libfaketime")
            kept |= dict(zip(CLOCK, (str(library), f"{seconds:+d}s", "1"), strict=True))
        if kept != settings:
            self.override(unit, kept)

    def _limit_files(self, unit: str, pid: int, size: str) -> None:
        # The kernel lets a process change the limits of one with the same user and group.
        command = [*processes.as_group(self._home, unit), "prlimit", f"--pid={pid}", f"--fsize={size}:"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"The limit of {unit} could not be changed: {done.stderr.strip()}")

    def _pid(self, unit: str) -> int:
        if unit not in (*UNITS, *SECONDS):
            raise LabError(f"There is no unit {unit}. Units: {', '.join(UNITS)}.")
        pid = self.pid_of(unit)
        if pid is None:
            raise LabError(f"{unit} does not run. Look: ./lab status")
        return pid

    def _family(self, unit: str) -> Iterator[psutil.Process]:
        """Processes that work in the unit's folder; they are known by it also without a parent."""
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
    # Made first, so that removing what is not there is no error either; both in one transaction.
    return f"table inet {table}\ndelete table inet {table}"


def _nft(commands: str) -> None:
    done = subprocess.run(["nft", "-f", "-"], input=commands, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"The packet filter refused: {done.stderr.strip()}")
