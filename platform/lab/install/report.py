"""How an installation reports its steps: what it needs of `lab.progress`, and a version without libraries.

The second one runs before `.venv` has its packages.
"""

import sys
import time
from threading import Lock
from typing import Protocol

PLAIN_SECONDS = 10.0
"""A step that takes long prints what it does this often."""


class Report(Protocol):
    """Steps that run side by side, each with what it does right now."""

    def say(self, step: str, text: str) -> None:
        """`step` now does `text`."""

    def done(self, step: str, text: str = "done") -> None:
        """`step` is over."""


class Lines:
    """Prints one line when a step begins, one every 10 s, and one when it ends."""

    def __init__(self) -> None:
        self._began: dict[str, float] = {}
        self._said: dict[str, float] = {}
        self._lock = Lock()

    def say(self, step: str, text: str) -> None:
        """`step` now does `text`."""
        now = time.monotonic()
        with self._lock:
            new = step not in self._began
            began = self._began.setdefault(step, now)
            if new or now - self._said[step] > PLAIN_SECONDS:
                self._said[step] = now
                _print(step, text if new else f"{text} ({now - began:.0f} s)")

    def done(self, step: str, text: str = "done") -> None:
        """`step` is over."""
        now = time.monotonic()
        with self._lock:
            _print(step, f"{text} ({now - self._began.pop(step, now):.1f} s)")


def _print(step: str, text: str) -> None:
    # On a terminal ./lab draws a line of its own meanwhile: this one takes its place.
    start = "\r\033[K" if sys.stdout.isatty() else ""
    print(f"{start}  {step:<16} {text}", flush=True)
