"""Run one long command of an installation: its output goes to a log, its progress is shown."""

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from lab.errors import LabError


class InstallFailed(LabError):
    """Raised when a server could not be installed. Finished parts stay, and the next attempt continues."""


@dataclass
class Runner:
    """Runs commands that inherit the lock of the installation, and can end all of them."""

    logs: Path
    lock_file: int
    _children: set["subprocess.Popen[bytes]"] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)

    def run(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        say: Callable[[str], None],
        progress: Callable[[str], str],
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        """Run a command to its end; `progress` turns its log so far into one line.

        Raises InstallFailed with the end of the log.
        """
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f"{name}.log"
        with log.open("wb") as out:
            child = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                # If ./lab is killed, this command still holds the lock until it ends, so that the next
                # ./lab does not write into the same folder.
                pass_fds=[self.lock_file],
            )
        with self._lock:
            self._children.add(child)
        try:
            while child.poll() is None:
                say(progress(log.read_text(errors="replace")))
                time.sleep(0.25)
        finally:
            with self._lock:
                self._children.discard(child)
        if child.returncode != 0:
            tail = log.read_text(errors="replace").splitlines()[-12:]
            raise InstallFailed(
                f"{name}: `{' '.join(str(part) for part in command[:4])} …` failed.\n"
                + "\n".join(f"  {line}" for line in tail)
                + f"\nThe whole log: {log}\nRun the same ./lab command again to continue; "
                "`./lab doctor` checks network and disk."
            )

    def end_all(self) -> None:
        """Terminate all commands that still run."""
        with self._lock:
            children = list(self._children)
        for child in children:
            child.terminate()
