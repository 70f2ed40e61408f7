"""Report the steps of an installation: the part of `lab.progress` that it needs, without libraries.

It is used while `.venv` has no packages yet.
"""

import sys
import time
from threading import Lock
from typing import Protocol

PLAIN_SECONDS = 10.0
"""A step that takes long prints a line this often."""


class Report(Protocol):
    """Steps that run at the same time, each with a text that says what it does."""

    def say(self, step: str, text: str) -> None:
        """Show that `step` now does `text`; the first call for a step starts it."""

    def done(self, step: str, text: str = "done") -> None:
        """End `step`."""


class Lines:
    """Prints one line when a step begins, one every 10 s, and one when it ends."""

    def __init__(self) -> None:
        self._began: dict[str, float] = {}
        self._printed_at: dict[str, float] = {}
        self._lock = Lock()

    def say(self, step: str, text: str) -> None:
        """Show that `step` now does `text`; the first call for a step starts it."""
        now = time.monotonic()
        with self._lock:
            new = step not in self._began
            began = self._began.setdefault(step, now)
            if new or now - self._printed_at[step] > PLAIN_SECONDS:
                self._printed_at[step] = now
                _print(step, text if new else f"{text} ({now - began:.0f} s)")

    def done(self, step: str, text: str = "done") -> None:
        """End `step`."""
        now = time.monotonic()
        with self._lock:
            _print(step, f"{text} ({now - self._began.pop(step, now):.1f} s)")


def _print(step: str, text: str) -> None:
    # On a terminal, ./lab draws a progress line meanwhile: this line replaces it.
    start = "\r\033[K" if sys.stdout.isatty() else ""
    print(f"{start}  {step:<16} {text}", flush=True)
