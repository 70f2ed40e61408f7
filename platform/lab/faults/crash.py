"""Make a unit crash at a named crash point, and count how often it did."""

import subprocess

from civildiy.course_runtime.crash_points import MARK, POINTS
from lab.backends import overrides
from lab.backends.protocol import Backend
from lab.errors import LabError
from lab.home import Home

LOG_LINES = 4000
VARIABLE = "CRASH_POINTS"


def arm(home: Home, backend: Backend, name: str, times: int = 1) -> None:
    """Make the unit crash each time that it reaches the point for the `times`-th time. Raises LabError."""
    if name not in POINTS:
        raise LabError(f"There is no crash point {name}. All of them: {', '.join(POINTS)}.")
    unit = POINTS[name].unit
    backend.override(unit, overrides.read(home, unit) | {VARIABLE: f"{name}@{times}"})


def disarm(home: Home, backend: Backend, name: str) -> None:
    """Make the unit run past this point again."""
    unit = POINTS[name].unit
    settings = overrides.read(home, unit)
    if settings.pop(VARIABLE, None):
        backend.override(unit, settings)


def crashes(backend: Backend, name: str) -> int:
    """Return how often the unit's log reports a crash at this point."""
    command = backend.log_command(POINTS[name].unit, False, LOG_LINES)
    log = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False).stdout
    return log.decode(errors="replace").splitlines().count(f"{MARK}{name}")
