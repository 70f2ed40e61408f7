"""The file .env beside docker-compose.yml: the secrets, and the owner of the files that JupyterLab writes."""

import os
from collections.abc import Mapping
from pathlib import Path

from lab.backends.settings import ensure_pairs, ensure_secrets, read_pairs
from lab.home import LABS, REPO

FILE = REPO / ".env"


def read() -> dict[str, str]:
    """Return the variables in .env; {} when there is no such file."""
    return read_pairs(FILE)


def owner(rootless: bool = False) -> dict[str, str]:
    """Return the owner of the learner's files, for JupyterLab's container; {} on systems without user ids.

    This is not the user who runs ./lab: with sudo that is root, and JupyterLab need not be root. In a
    rootless engine's containers, root is the user who runs the engine; no other id exists on this machine.
    """
    if not hasattr(os, "getuid"):
        return {}
    if rootless:
        return {"LAB_UID": "0", "LAB_GID": "0"}
    folder = LABS.stat()
    return {"LAB_UID": str(folder.st_uid), "LAB_GID": str(folder.st_gid)}


def give(folder: Path) -> None:
    """Give a folder that root has created for JupyterLab to the owner of the learner's files."""
    if (ids := owner()) and os.geteuid() == 0:
        os.chown(folder, int(ids["LAB_UID"]), int(ids["LAB_GID"]))


def ensure(values: Mapping[str, str] | None = None) -> dict[str, str]:
    """Add to .env what Compose needs. `values`: those that depend on the engine, by default `owner()`."""
    ensure_secrets(FILE)
    return ensure_pairs(FILE, owner() if values is None else values)
