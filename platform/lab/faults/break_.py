"""Break something and heal it: what the commands, the storm and the tests call."""

import os
import subprocess
import sys

from lab.backends.protocol import Backend
from lab.errors import LabError
from lab.faults import guardian, ledger
from lab.faults.catalog import Fault, fault
from lab.home import PLATFORM, REPO, Home

LONGEST_SECONDS = 600.0


def start(home: Home, backend: Backend, found: Fault, unit: str, seconds: float) -> None:
    """Inject a fault that ends by itself after `seconds`; returns as soon as it is on. Raises LabError."""
    needed = found.by or unit
    if _rests(backend, needed):
        raise LabError(f"{needed} does not run: no {found.name}. Look: ./lab status; start it: ./lab up")
    if not found.heals:
        try:
            found.inject(backend, unit)
        except guardian.TROUBLE as error:
            raise LabError(f"{found.name} {unit}: {error}") from error
        return
    on = {entry.fault for entry in ledger.entries(home) if entry.unit == unit}
    if found.name in on:
        raise LabError(f"{found.name} {unit} is on already. End it: ./lab heal")
    if other := on.intersection(found.excludes):
        raise LabError(
            f"{', '.join(other)} {unit} is on, and with it {found.name} cannot be. End it first: ./lab heal"
        )
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "lab.faults.guardian", found.name, unit,
         str(seconds if found.lasts else 0)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        start_new_session=True, cwd=REPO, env={**os.environ, "PYTHONPATH": str(PLATFORM)},
    )  # fmt: skip
    assert process.stdout
    with process.stdout as said:
        first = said.readline().strip()
        if first != guardian.ON:
            rest = said.read().strip()
            process.wait()
            raise LabError(f"{found.name} {unit}: {first} {rest}".strip())
    # It is on its own from here; without this Python would warn about a child that still runs.
    process.returncode = 0


def _rests(backend: Backend, unit: str) -> bool:
    """Whether the unit is known not to run; from inside of a container nobody can tell."""
    try:
        return backend.pid_of(unit) is None
    except LabError:
        return False


def heal_all(home: Home, backend: Backend) -> list[ledger.Entry]:
    """End all faults that are on, also those whose guardian was killed.

    One that cannot be ended does not keep the others on. Raises LabError at last.
    """
    found = ledger.entries(home)
    troubles = []
    for entry in found:
        ledger.dismiss(entry)
        try:
            guardian.heal(backend, fault(entry.fault), entry.unit)
        except guardian.TROUBLE as error:
            if backend.running():  # else there is nothing that it could be wrong with
                troubles.append(f"{entry.fault} {entry.unit} could not be ended: {error}. Again: ./lab heal")
                continue
        ledger.path(home, entry.fault, entry.unit).unlink(missing_ok=True)
    if troubles:
        raise LabError("\n".join(troubles))
    return found
