"""The log lines of one trace, from the logs of all units."""

import json
import subprocess

from lab.backends.protocol import Backend
from lab.topology import OURS

LINES = 5_000
"""So many of the last lines of each unit are searched."""


def lines_of(backend: Backend, trace: str) -> list[tuple[str, str]]:
    """Return unit and text of each line that names the trace, oldest first."""
    found = [
        (_time(line), unit, line)
        for unit in OURS
        for line in _log(backend.log_command(unit, False, LINES))
        if trace in line
    ]
    return [(unit, line) for _, unit, line in sorted(found)]


def _log(command: list[str]) -> list[str]:
    # A container engine prints on stderr what the unit wrote to stderr.
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.stdout.decode(errors="replace").splitlines()


def _time(line: str) -> str:
    """Return the time of a line: the begin of a text, or a field of a JSON object. It sorts as text."""
    try:
        return str(json.loads(line)["timestamp"])
    except (ValueError, KeyError, TypeError):
        return line.partition(" ")[0]
