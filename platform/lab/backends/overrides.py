"""Settings on top of a unit's own: one small file for each unit, which outlives `down` and `up`."""

import hashlib
import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from lab.home import REPO, Home
from lab.topology import UNITS


def folder(home: Home) -> Path:
    """Where this clone's overrides stand; another clone that shares the home has labs of its own.

    LAB_OVERRIDES names another folder: the one that the containers see.
    """
    if given := os.environ.get("LAB_OVERRIDES"):
        return Path(given).absolute()
    return home.root / "overrides" / hashlib.sha256(str(REPO).encode()).hexdigest()[:12]


def file(home: Home, unit: str) -> Path:
    """Where the overrides of `unit` stand: lines NAME='value' that a shell can read."""
    return folder(home) / f"{unit}.env"


def write(home: Home, unit: str, settings: Mapping[str, str]) -> None:
    """Replace the overrides of `unit`; empty removes them."""
    path = file(home, unit)
    if not settings:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    # JupyterLab writes to this folder, too: what it left there under this name is nothing to follow.
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w") as out:
        out.writelines(f"{name}={shlex.quote(value)}\n" for name, value in settings.items())
    new.chmod(0o644)  # whatever the umask: the containers read it as another user
    new.replace(path)


def read(home: Home, unit: str) -> dict[str, str]:
    """The overrides of `unit`, empty without any; lines that nobody here wrote are left out."""
    try:
        lines = file(home, unit).read_text().splitlines()
    except OSError:
        return {}
    pairs = [re.fullmatch(r"(\w+)=(.*)", line) for line in lines]
    return {pair[1]: "".join(shlex.split(pair[2])) for pair in pairs if pair}


def everywhere(home: Home) -> dict[str, dict[str, str]]:
    """The overrides of all units that have some."""
    return {unit: found for unit in UNITS if (found := read(home, unit))}
