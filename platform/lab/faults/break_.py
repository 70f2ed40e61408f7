"""Start and end faults: what the commands, the storm and the tests call."""

import os
import subprocess
import sys

from lab.backends.protocol import Backend
from lab.errors import LabError
from lab.faults import guardian, ledger
from lab.faults.catalog import Fault, fault
from lab.home import PLATFORM, REPO, Home

LONGEST_SECONDS = 600.0


def start(home: Home, backend: Backend, fault_: Fault, unit: str, seconds: float) -> None:
    """Inject a fault that ends by itself after `seconds`; return as soon as it is active. Raises LabError."""
    needed = fault_.by or unit
    if _is_down(backend, needed):
        raise LabError(
            f"{needed} is not running, so {fault_.name} cannot be injected."
            " Start it: ./lab up. See its state: ./lab status"
        )
    if not fault_.heals:
        try:
            fault_.inject(backend, unit)
        except guardian.TROUBLE as error:
            raise LabError(f"{fault_.name} {unit} failed: {error}") from error
        return
    on = {entry.fault for entry in ledger.entries(home) if entry.unit == unit}
    if fault_.name in on:
        raise LabError(f"{fault_.name} {unit} is already active. End it: ./lab heal")
    if other := on.intersection(fault_.excludes):
        raise LabError(
            f"{', '.join(other)} {unit} is active, and {fault_.name} cannot be added to it."
            " End it first: ./lab heal"
        )
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "lab.faults.guardian", fault_.name, unit,
         str(seconds if fault_.lasts else 0)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        start_new_session=True, cwd=REPO, env={**os.environ, "PYTHONPATH": str(PLATFORM)},
    )  # fmt: skip
    assert process.stdout
    with process.stdout as output:
        first = output.readline().strip()
        if first != guardian.ON:
            rest = output.read().strip()
            process.wait()
            raise LabError(f"{fault_.name} {unit} failed: {first} {rest}".strip())
    # The guardian must outlive this process. Without this line Python would warn about a running child.
    process.returncode = 0


def _is_down(backend: Backend, unit: str) -> bool:
    """Return whether the unit is known to be down; inside a container that cannot be known."""
    try:
        return backend.pid_of(unit) is None
    except LabError:
        return False


def heal_all(home: Home, backend: Backend) -> list[ledger.Entry]:
    """End all active faults, also those whose guardian was killed, and return their entries.

    When one fault cannot be ended, the others are ended all the same. Raises LabError at the end.
    """
    active = ledger.entries(home)
    troubles = []
    for entry in active:
        ledger.dismiss(entry)
        try:
            guardian.heal(backend, fault(entry.fault), entry.unit)
        except guardian.TROUBLE as error:
            if backend.running():  # a system that is down has no fault to end
                troubles.append(
                    f"{entry.fault} {entry.unit} could not be ended: {error}. Try again: ./lab heal"
                )
                continue
        ledger.path(home, entry.fault, entry.unit).unlink(missing_ok=True)
    if troubles:
        raise LabError("\n".join(troubles))
    return active


def heal_now(home: Home, backend: Backend) -> str:
    """End all active faults and return a line about each; '' when there were none."""
    ended: list[ledger.Entry] = heal_all(home, backend)
    return "\n".join(f"{entry.fault} {entry.unit} has ended." for entry in ended)
