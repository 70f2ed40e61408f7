"""Settings in addition to a unit's own: one small file for each unit, which outlives `down` and `up`."""

import hashlib
import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from lab.errors import LabError
from lab.home import REPO, Home
from lab.text import shortened
from lab.topology import UNITS


def folder(home: Home) -> Path:
    """Return the folder of this clone's overrides; another clone with the same home has its own.

    LAB_OVERRIDES names another folder: the one that the containers mount.
    """
    if path := os.environ.get("LAB_OVERRIDES"):
        return Path(path).absolute()
    return home.root / "overrides" / hashlib.sha256(str(REPO).encode()).hexdigest()[:12]


def file(home: Home, unit: str) -> Path:
    """Return the file with the overrides of `unit`: lines NAME='value' that a shell can read."""
    return folder(home) / f"{unit}.env"


def write(home: Home, unit: str, settings: Mapping[str, str]) -> None:
    """Replace the overrides of `unit`; an empty mapping removes them."""
    path = file(home, unit)
    if not settings:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    # JupyterLab writes to this folder, too: do not follow a symbolic link that it may have left here.
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w") as out:
        out.writelines(f"{name}={shlex.quote(value)}\n" for name, value in settings.items())
    new.chmod(0o644)  # independent of the umask: the containers read it as another user
    new.replace(path)


def read(home: Home, unit: str) -> dict[str, str]:
    """Return the overrides of `unit`, {} without any; skip lines in another form.

    Raises LabError for a file that a shell cannot read: the unit could not start with it.
    """
    try:
        lines = file(home, unit).read_text(encoding="utf-8").splitlines()
        pairs = [re.fullmatch(r"(\w+)=(.*)", line) for line in lines]
        return {pair[1]: "".join(shlex.split(pair[2])) for pair in pairs if pair}
    except OSError:
        return {}
    except ValueError as error:
        raise LabError(
            f"{file(home, unit)} holds the settings of {unit} and is damaged ({shortened(error)}).\n"
            f"Delete it, and start your lab again: rm '{file(home, unit)}'"
        ) from None


def everywhere(home: Home) -> dict[str, dict[str, str]]:
    """Return the overrides of every unit that has some."""
    return {unit: settings for unit in UNITS if (settings := read(home, unit))}
