"""The guardian of one fault: a process that injects the fault, waits, and heals it.

`python -m lab.faults.guardian FAULT UNIT SECONDS`. It is a process of its own, because it must end the fault
even if the program that started it is killed. It prints one line as soon as the fault is active. SIGTERM ends
the fault at once.
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


def guard(home: Home, backend: Backend, fault_: Fault, unit: str, seconds: float, over: Event) -> None:
    """Inject the fault, report it, wait until `over` or the end, heal. Raises TROUBLE if injecting fails."""
    file = ledger.enter(home, fault_.name, unit, time.time() + seconds)
    try:
        fault_.inject(backend, unit)
        _report(ON)
        if fault_.pulse:
            _pulse(backend, fault_, unit, time.monotonic() + seconds, over)
        else:
            over.wait(seconds)
    finally:
        heal(backend, fault_, unit)
        file.unlink(missing_ok=True)


def _report(text: str) -> None:
    """Print a line for the program that asked for the fault; that program may have ended already."""
    with suppress(BrokenPipeError):
        print(text, flush=True)


def _pulse(backend: Backend, fault_: Fault, unit: str, deadline: float, over: Event) -> None:
    assert fault_.pulse is not None
    on, off = fault_.pulse
    while time.monotonic() < deadline and not over.wait(on):
        fault_.heal(backend, unit)
        over.wait(off)
        try:
            fault_.inject(backend, unit)
        except TROUBLE:
            continue  # the unit is starting again after another fault


def heal(backend: Backend, fault_: Fault, unit: str) -> None:
    """End the fault; try for 10 s, because a server may be restarting. Raises the last error."""
    for attempt in range(HEAL_ATTEMPTS):
        try:
            fault_.heal(backend, unit)
        except TROUBLE:
            if attempt == HEAL_ATTEMPTS - 1 or not backend.running():
                raise
            time.sleep(0.5)
        else:
            return


def main() -> None:
    """Run the guardian with the arguments of the command line."""
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
        _report(str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
