"""Which backend runs the system: by LAB_BACKEND, else by what is there."""

import os

from lab.backend import Backend
from lab.errors import LabError
from lab.home import Home
from lab.native.backend import NativeBackend


def chosen(home: Home) -> Backend:
    """The backend of this machine. Raises LabError for a LAB_BACKEND that there is not."""
    wanted = os.environ.get("LAB_BACKEND", "")
    if wanted not in ("", "native"):
        raise LabError(f"LAB_BACKEND={wanted} is not a backend; give native, or leave it unset.")
    return NativeBackend(home)
