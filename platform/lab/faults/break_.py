"""Break something and heal it: what the commands, the storm and the tests call."""

import os
import subprocess
import sys

from lab.backend import Backend
from lab.errors import LabError
from lab.faults import guardian, ledger
from lab.faults.catalog import Fault, fault
from lab.home import PLATFORM, REPO, Home

LONGEST_SECONDS = 600.0


def start(home: Home, backend: Backend, found: Fault, unit: str, seconds: float) -> None:
    """Inject a fault that ends by itself after `seconds`; returns as soon as it is on. Raises LabError."""
    if not found.lasts:
        try:
            found.inject(backend, unit)
        except guardian.TROUBLE as error:
            raise LabError(f"{found.name} {unit}: {error}") from error
        return
    if any((entry.fault, entry.unit) == (found.name, unit) for entry in ledger.entries(home)):
        raise LabError(f"{found.name} {unit} is on already. End it: ./lab heal")
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "lab.faults.guardian", found.name, unit, str(seconds)],
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


def heal_all(home: Home, backend: Backend) -> list[ledger.Entry]:
    """End all faults that are on, also those whose guardian was killed. Raises LabError."""
    found = ledger.entries(home)
    for entry in found:
        ledger.dismiss(entry)
        try:
            guardian.heal(backend, fault(entry.fault), entry.unit)
        except guardian.TROUBLE:
            if backend.running():  # else there is nothing that it could be wrong with
                raise
        ledger.path(home, entry.fault, entry.unit).unlink(missing_ok=True)
    return found
