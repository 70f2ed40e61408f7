"""The file .env beside docker-compose.yml: the secrets, and who owns the files that JupyterLab writes."""

import os
from collections.abc import Mapping
from pathlib import Path

from lab.backends.settings import ensure_pairs, ensure_secrets, read_pairs
from lab.course.exercise import LABS
from lab.home import REPO

FILE = REPO / ".env"


def read() -> dict[str, str]:
    """What stands in it; empty when there is none."""
    return read_pairs(FILE)


def owner(rootless: bool = False) -> dict[str, str]:
    """Whose the learner's files are, for JupyterLab's container; empty where users have no numbers.

    Not who runs this: with sudo that is root, and JupyterLab need not be. In a rootless engine's containers
    root is the user who runs the engine, and every other number belongs to nobody here.
    """
    if not hasattr(os, "getuid"):
        return {}
    if rootless:
        return {"LAB_UID": "0", "LAB_GID": "0"}
    seen = LABS.stat()
    return {"LAB_UID": str(seen.st_uid), "LAB_GID": str(seen.st_gid)}


def give(folder: Path) -> None:
    """Let the owner of the learner's files write to a folder that root has made for JupyterLab."""
    if (found := owner()) and os.geteuid() == 0:
        os.chown(folder, int(found["LAB_UID"]), int(found["LAB_GID"]))


def ensure(found: Mapping[str, str] | None = None) -> dict[str, str]:
    """Add what Compose needs and the file lacks. `found`: what depends on the engine, else `owner()`."""
    ensure_secrets(FILE)
    return ensure_pairs(FILE, owner() if found is None else found)
