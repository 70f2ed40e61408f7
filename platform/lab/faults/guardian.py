"""The guardian of one fault: injects it, waits, heals it. A process of its own.

`python -m lab.faults.guardian FAULT UNIT SECONDS`: whoever asked for the fault may end, also by
kill -9. It says one line on stdout as soon as the fault is on. SIGTERM ends the fault at once.
"""

import signal
import sys
import time
from contextlib import suppress
from threading import Event
from types import FrameType

import httpx

from lab.backends.choice import chosen
from lab.backends.protocol import Backend
from lab.errors import LabError
from lab.faults import ledger
from lab.faults.catalog import Fault, fault
from lab.home import Home

ON = "on"
TROUBLE = (LabError, httpx.HTTPError, OSError)
HEAL_ATTEMPTS = 20


def guard(home: Home, backend: Backend, found: Fault, unit: str, seconds: float, over: Event) -> None:
    """Inject, say so, hold until `over` or the time is up, heal. Raises TROUBLE when it cannot inject."""
    file = ledger.enter(home, found.name, unit, time.time() + seconds)
    try:
        found.inject(backend, unit)
        _say(ON)
        if found.pulse:
            _pulse(backend, found, unit, time.monotonic() + seconds, over)
        else:
            over.wait(seconds)
    finally:
        heal(backend, found, unit)
        file.unlink(missing_ok=True)


def _say(text: str) -> None:
    """To whoever asked, who may have been killed meanwhile."""
    with suppress(BrokenPipeError):
        print(text, flush=True)


def _pulse(backend: Backend, found: Fault, unit: str, deadline: float, over: Event) -> None:
    assert found.pulse is not None
    on, off = found.pulse
    while time.monotonic() < deadline and not over.wait(on):
        found.heal(backend, unit)
        over.wait(off)
        try:
            found.inject(backend, unit)
        except TROUBLE:
            continue  # it is on its way up after another fault


def heal(backend: Backend, found: Fault, unit: str) -> None:
    """End the fault; what it needs may be away for a moment. Raises the last trouble."""
    for attempt in range(HEAL_ATTEMPTS):
        try:
            found.heal(backend, unit)
        except TROUBLE:
            if attempt == HEAL_ATTEMPTS - 1 or not backend.running():
                raise
            time.sleep(0.5)
        else:
            return


def main() -> None:
    """The process."""
    home = Home.from_environment()
    backend = chosen(home)
    over = Event()

    def stop(number: int, frame: FrameType | None) -> None:
        over.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    name, unit, seconds = sys.argv[1:]
    try:
        guard(home, backend, fault(name), unit, float(seconds), over)
    except TROUBLE as error:
        _say(str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
