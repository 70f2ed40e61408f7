"""The cluster's processes: each is started once, is known by its pid, and is ended by it."""

import json
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

END_SECONDS = 20


class Processes:
    """Processes with a log each. `pids.json` outlives a killed run, so that the next one can end them."""

    def __init__(self, folder: Path, prefix: list[str]) -> None:
        self._folder = folder
        self.prefix = prefix
        """The words that let a command run in the cluster's network."""
        self._started: dict[str, psutil.Process] = {}
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: object) -> None:
        """Start a program; its output goes to NAME.log."""
        with (self._folder / f"{name}.log").open("ab") as log:
            child = subprocess.Popen(
                [*self.prefix, *(str(word) for word in command)], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True, cwd=self._folder,
            )  # fmt: skip
        self._children[name] = child
        with suppress(psutil.NoSuchProcess):
            self._started[name] = psutil.Process(child.pid)
        self._note()

    def stop(self, name: str) -> None:
        """End a program with SIGTERM, and with SIGKILL when it does not react."""
        process = self._started.pop(name, None)
        if process is not None:
            _end(process)
        if child := self._children.pop(name, None):
            child.wait()
        self._note()

    def stop_all(self) -> None:
        """End all programs, the last one first."""
        for name in reversed(list(self._started)):
            self.stop(name)

    def end_noted(self) -> None:
        """End what an earlier run, cut off, has left. A pid counts only with the time at which it began."""
        with suppress(OSError, ValueError):
            for pid, created in reversed(json.loads(self._notes.read_text())):
                with suppress(psutil.NoSuchProcess):
                    process = psutil.Process(pid)
                    if abs(process.create_time() - created) < 1:
                        _end(process)
            self._notes.unlink()

    @property
    def _notes(self) -> Path:
        # Beside the folder of the run, which is deleted before each start.
        return self._folder.with_name("pids.json")

    def _note(self) -> None:
        self._notes.write_text(
            json.dumps([(p.pid, p.create_time()) for p in self._started.values() if p.is_running()])
        )

    def ended(self) -> list[str]:
        """Return the names of the programs that have ended by themselves."""
        return [name for name, child in self._children.items() if child.poll() is not None]

    def tails(self, names: Iterable[str], lines: int = 12) -> str:
        """Return the ends of these logs, or of all."""
        wanted = [self._folder / f"{name}.log" for name in names] or sorted(self._folder.glob("*.log"))
        ends = [(log.name, log.read_text(errors="replace").splitlines()[-lines:]) for log in wanted]
        return "\n".join(f"--- {name}\n" + "\n".join(end) for name, end in ends)

    def memory(self) -> int:
        """Return the resident bytes of all these programs, without the containers."""
        total = 0
        for process in self._started.values():
            with suppress(psutil.Error):
                total += int(process.memory_info().rss)
        return total


def _end(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(END_SECONDS)
