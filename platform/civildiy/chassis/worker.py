"""The worker processes' common part: they run until a signal stops them, and write a heartbeat."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from threading import Event
from types import FrameType

from civildiy.chassis.collector import settle

BEAT_SECONDS = 1.0


class Stopped(Event):
    """An event that is set when the worker must end. Each call also writes the worker's **heartbeat**.

    A worker calls it once in each turn of its loop, so a heartbeat that stops means a loop that hangs. The
    heartbeat is the modification time of the file `heartbeat` (None: no file), which
    `observability.healthcheck` reads. It is written once a second at most.
    """

    def __init__(self, heartbeat: Path | None) -> None:
        super().__init__()
        self._heartbeat = heartbeat
        self._next = 0.0

    def is_set(self) -> bool:
        """Return whether the worker must end."""
        self._beat()
        return super().is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for up to `timeout` seconds; return whether the worker must end."""
        self._beat()
        return super().wait(timeout)

    def _beat(self) -> None:
        if self._heartbeat is not None and time.monotonic() >= self._next:
            self._next = time.monotonic() + BEAT_SECONDS
            with suppress(OSError):  # the health check then reports the missing heartbeat
                self._heartbeat.touch()


def stop_on_signals() -> Event:
    """Return an event that SIGTERM and SIGINT set, so that a worker can finish its step before it ends.

    A worker calls it when its modules are loaded.
    """
    heartbeat = os.environ.get("HEARTBEAT_FILE")
    stopped = Stopped(Path(heartbeat) if heartbeat else None)

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    settle()
    return stopped
