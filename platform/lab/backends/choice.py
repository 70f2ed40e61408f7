"""Which backend runs the system: by LAB_BACKEND, else by what is there."""

import os

from lab.backends.compose import dotenv, engine
from lab.backends.compose.backend import ComposeBackend
from lab.backends.inside import InsideBackend
from lab.backends.native.backend import NativeBackend
from lab.backends.protocol import Backend
from lab.errors import LabError
from lab.home import REPO, Home


def chosen(home: Home) -> Backend:
    """The backend of this machine. Raises LabError for a LAB_BACKEND that there is not.

    Unless told by hand: a native stack that runs stays in use; else Compose where an engine answers.
    """
    wanted = os.environ.get("LAB_BACKEND", "")
    if wanted == "inside":  # set in the image of JupyterLab
        return InsideBackend(home)
    if wanted not in ("", "compose", "native"):
        raise LabError(f"LAB_BACKEND={wanted} is not a backend; give compose or native, or leave it unset.")
    native = NativeBackend(home)
    # The folder that docker-compose.yml mounts by itself, so that JupyterLab and this command see the same.
    shared = str(REPO / (dotenv.read().get("LAB_OVERRIDES") or ".overrides"))
    if wanted == "native" or (not wanted and (native.running() or not engine.answers())):
        if os.environ.get("LAB_OVERRIDES") == shared:
            del os.environ["LAB_OVERRIDES"]  # set below, in a process that has started this one
        return native
    os.environ.setdefault("LAB_OVERRIDES", shared)
    return ComposeBackend(home)
