"""Choose the backend that runs the system: the one that LAB_BACKEND names, else by what is installed."""

import os

from lab.backends.compose import dotenv, engine
from lab.backends.compose.backend import ComposeBackend
from lab.backends.inside import InsideBackend
from lab.backends.kubernetes.backend import KubernetesBackend
from lab.backends.native.backend import NativeBackend
from lab.backends.protocol import Backend
from lab.errors import LabError
from lab.home import REPO, Home
from lab.text import shortened


def chosen(home: Home) -> Backend:
    """Return the backend for this machine. Raises LabError when LAB_BACKEND names none.

    Without LAB_BACKEND, a running native system stays in use; else Compose is used if an engine answers.
    """
    kind = os.environ.get("LAB_BACKEND", "")
    if kind == "inside":  # set in the image of JupyterLab
        return InsideBackend(home)
    if kind == "kubernetes":  # never chosen by itself: the current context may be anybody's
        return KubernetesBackend(home)
    if kind not in ("", "compose", "native"):
        raise LabError(
            f"LAB_BACKEND={shortened(kind)} is not a backend; set it to compose, native or kubernetes,"
            " or leave it unset."
        )
    native = NativeBackend(home)
    # docker-compose.yml mounts this folder, so JupyterLab and this command read the same files.
    shared = str(REPO / (dotenv.read().get("LAB_OVERRIDES") or ".overrides"))
    if kind == "native" or (not kind and (native.running() or not engine.answers())):
        if os.environ.get("LAB_OVERRIDES") == shared:
            del os.environ["LAB_OVERRIDES"]  # the parent process set it below, for Compose
        return native
    if name := os.environ.get("LAB_AS"):
        raise LabError(
            f"--as {name} gives a system addresses of its own. Only the native backend can do that, but here"
            f" a container engine answers.\nUse the native backend: LAB_BACKEND=native ./lab up --as {name}"
        )
    os.environ.setdefault("LAB_OVERRIDES", shared)
    return ComposeBackend(home)
