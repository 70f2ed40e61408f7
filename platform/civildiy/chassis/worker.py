"""What the worker processes share: they run until they are told to stop, and show that they go round."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from threading import Event
from types import FrameType

BEAT_SECONDS = 1.0


class Stopped(Event):
    """Set when the worker shall end. A worker asks for that once a turn, so each question is a sign of life.

    The sign is the time of change of the file `heartbeat` (None: no file); `observability.healthcheck`
    reads it. It is written once a second at most.
    """

    def __init__(self, heartbeat: Path | None) -> None:
        super().__init__()
        self._heartbeat = heartbeat
        self._next = 0.0

    def is_set(self) -> bool:
        """Whether to end."""
        self._beat()
        return super().is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Whether to end, asked for up to `timeout` seconds."""
        self._beat()
        return super().wait(timeout)

    def _beat(self) -> None:
        if self._heartbeat is not None and time.monotonic() >= self._next:
            self._next = time.monotonic() + BEAT_SECONDS
            with suppress(OSError):  # a sign that cannot be written is missed by whoever looks for it
                self._heartbeat.touch()


def stop_on_signals() -> Event:
    """An event that SIGTERM and SIGINT set, so that a worker can finish its step and leave."""
    heartbeat = os.environ.get("HEARTBEAT_FILE")
    stopped = Stopped(Path(heartbeat) if heartbeat else None)

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return stopped
