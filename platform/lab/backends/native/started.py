"""The settings with which the running system was started, and the script that sets up its servers."""

import json
import os
import subprocess

from lab import environment, options, ports
from lab.backends import user_settings
from lab.deadlines import slow
from lab.errors import LabError
from lab.home import Home

SETTINGS = "settings.json"
"""The file in the folder `run` with the ports and addresses that were set at the start of the system."""
OPTIONS = "options.json"
"""The file in the same folder with the options of `./lab up --with`."""
PROVISION_SECONDS = 90.0


def note(home: Home) -> None:
    """Record the ports, addresses, settings of the services, and options that are set now."""
    (home.run / SETTINGS).write_text(json.dumps(_chosen()), encoding="utf-8")
    (home.run / OPTIONS).write_text(json.dumps(options.chosen()), encoding="utf-8")


def _chosen() -> dict[str, str]:
    return ports.chosen(os.environ) | user_settings.chosen(os.environ)


def options_of(home: Home) -> tuple[str, ...]:
    """Return the options with which the system was started last."""
    try:
        return tuple(json.loads((home.run / OPTIONS).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return ()


def refuse_other(home: Home) -> None:
    """Raise LabError when the system was started with other ports than those of this command."""
    try:
        there = json.loads((home.run / SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    there = there if isinstance(there, dict) else {}
    here = _chosen()
    other = [
        f"{name} is {here.get(name) or 'not set'} now and was {there.get(name) or 'not set'} then"
        for name in sorted(there.keys() | here.keys())
        if there.get(name) != here.get(name)
    ]
    if other:
        raise LabError(
            f"The running system was started with other settings: {'; '.join(other)}."
            " Use those settings, or stop the system first: ./lab down"
        )


def provision(home: Home) -> None:
    """Run the script that sets up the servers; its output is in its log. Raises LabError."""
    command = ["sh", str(home.run / "provision.sh")]
    seconds = PROVISION_SECONDS * slow()
    try:
        done = subprocess.run(command, env=environment.own(), check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise LabError(
            f"The servers were not set up within {seconds:.0f} s. Find the cause: ./lab logs provision"
        ) from None
    if done.returncode != 0:
        raise LabError("The servers could not be set up. Find the cause: ./lab logs provision")
