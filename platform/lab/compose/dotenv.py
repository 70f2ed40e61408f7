"""The file .env beside docker-compose.yml: the secrets, and who owns the files that JupyterLab writes."""

import os

from lab.home import REPO
from lab.settings import ensure_pairs, ensure_secrets, read_pairs

FILE = REPO / ".env"


def read() -> dict[str, str]:
    """What stands in it; empty when there is none."""
    return read_pairs(FILE)


def owner() -> dict[str, str]:
    """This user, for JupyterLab's container; empty where users have no numbers."""
    if not hasattr(os, "getuid"):
        return {}
    return {"LAB_UID": str(os.getuid()), "LAB_GID": str(os.getgid())}


def ensure() -> dict[str, str]:
    """What Compose needs in it; what is missing is made."""
    ensure_secrets(FILE)
    return ensure_pairs(FILE, owner())
