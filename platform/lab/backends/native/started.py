"""With what the running system was started, and setting up its servers again."""

import json
import os
import subprocess

from lab import environment, ports
from lab.errors import LabError
from lab.home import Home
from lab.probes.readiness import slow

SETTINGS = "settings.json"
"""In the folder `run`: the ports and addresses that were set when the system was started."""
PROVISION_SECONDS = 90.0


def note(home: Home) -> None:
    """Write down the ports and addresses that are set now."""
    (home.run / SETTINGS).write_text(json.dumps(ports.chosen(os.environ)), encoding="utf-8")


def refuse_other(home: Home) -> None:
    """Raise LabError when the system was started with other ports than this command was given."""
    try:
        there = json.loads((home.run / SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    here = ports.chosen(os.environ)
    other = [
        f"{name} is {here.get(name) or 'not set'} here and {there.get(name) or 'not set'} there"
        for name in sorted(there.keys() | here.keys())
        if there.get(name) != here.get(name)
    ]
    if other:
        raise LabError(
            f"The running system was started with other settings: {'; '.join(other)}."
            " Use the same ones, or stop it first: ./lab down"
        )


def provision(home: Home) -> None:
    """Run the script that sets up the servers; what it prints is in its log. Raises LabError."""
    command = ["sh", str(home.run / "provision.sh")]
    seconds = PROVISION_SECONDS * slow()
    try:
        done = subprocess.run(command, env=environment.own(), check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise LabError(
            f"The servers were not set up within {seconds:.0f} s. Look: ./lab logs provision"
        ) from None
    if done.returncode != 0:
        raise LabError("The servers could not be set up. Look: ./lab logs provision")
