"""./lab notebook: start JupyterLab with the course, its settings and its kernel. It needs no network.

The same code starts JupyterLab on a person's own machine and in Compose's container, whose command is
`lab notebook`. When the system runs on Compose, the command outside the container opens the container's
JupyterLab.
"""

import os
import secrets
import socket
import sys
import webbrowser
from dataclasses import dataclass
from pathlib import Path

import click

from lab import jupyter, ports
from lab.backends.compose.backend import ComposeBackend
from lab.backends.native.network import front
from lab.backends.protocol import Backend
from lab.errors import LabError
from lab.home import REPO, Home
from lab.jupyter import widgets
from lab.jupyter.kernel import ensure_kernel
from lab.terminal import Console, confirm

CONFIG = Path(jupyter.__file__).parent / "config"
PORT = 8888
BEGIN = "Start with notebooks/00-tour.ipynb."
ANY = "0.0.0.0"  # noqa: S104 - all addresses of the container, which publishes one
SHOWN = {"README.md", "docs", "labs", "notebooks"}
"""What JupyterLab's list of files shows of the repository: the course."""
ANSWERS = ["reference", "text", "exercise.toml", "instructor.md", "instructor", "grading"]
"""Names in the folders of the course that the list leaves out, because these files hold answers."""


@dataclass(frozen=True)
class Server:
    """Where JupyterLab listens, and the token that it requires."""

    host: str
    port: int
    token: str

    @property
    def url(self) -> str:
        """The address to open in a browser on this machine."""
        host = "127.0.0.1" if self.host == ANY else self.host
        return f"http://{host}:{self.port}/lab?token={self.token}"


@dataclass(frozen=True)
class Folders:
    """The folders that JupyterLab writes to, all below one. The user's own settings stay untouched."""

    own: Path

    @property
    def data(self) -> Path:
        """The folder where JupyterLab finds the kernel of the course."""
        return self.own / "data"

    def options(self) -> list[str]:
        """Return JupyterLab's command-line options."""
        return [
            f"--LabApp.workspaces_dir={self.own / 'workspaces'}",
            f"--LabApp.user_settings_dir={self.own / 'settings'}",
        ]

    def environment(self) -> dict[str, str]:
        """Return the variables that Jupyter reads."""
        return {
            "JUPYTER_CONFIG_PATH": str(CONFIG), "JUPYTER_CONFIG_DIR": str(self.own / "config"),
            "JUPYTER_DATA_DIR": str(self.data), "JUPYTER_NO_CONFIG": "", "JUPYTER_PLATFORM_DIRS": "1",
            # A kernel in .venv may be that of another clone, from which the .venv was copied.
            "JUPYTER_PREFER_ENV_PATH": "0",
        }  # fmt: skip


def on_this_machine() -> Server:
    """Return the server for this machine: LAB_PORT_JUPYTER or 8888, on the gateway's address.

    Raises LabError when the variable is not a port, or when the port is taken.
    """
    port = ports.parse("LAB_PORT_JUPYTER", os.environ.get("LAB_PORT_JUPYTER", ""), PORT)
    if taken := _taken(front(), port):
        raise LabError(
            f"{front()}:{port} is not free ({taken}). Another JupyterLab may be running there:"
            " use that one, or choose another port: LAB_PORT_JUPYTER=… ./lab notebook"
        )
    return Server(front(), port, secrets.token_hex(16))


def in_container() -> Server:
    """Return the server for the container: all its addresses. docker-compose.yml decides which are published.

    Raises LabError when JUPYTER_TOKEN is empty, or when JupyterLab already runs.
    """
    token = os.environ.get("JUPYTER_TOKEN", "")
    if not token:
        raise LabError(
            "JUPYTER_TOKEN is empty, so everybody could open this JupyterLab. Create the token: ./lab secrets"
        )
    if _taken(ANY, PORT):
        raise LabError("You are already in JupyterLab. " + BEGIN)
    return Server(ANY, PORT, token)


def _taken(host: str, port: int) -> str:
    """Return why the port cannot be used; '' when it can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return ""


def hidden() -> list[str]:
    """Return the names that JupyterLab's list of files leaves out. A link to such a file still opens it."""
    internals = {path.name for path in REPO.iterdir()} - SHOWN
    return ["*.pyc", "*~", "*.new", *ANSWERS, *sorted({"__pycache__", *internals})]


def writable(home: Home, instead: Path) -> Folders:
    """Return JupyterLab's folder in the lab's home, or one below `instead` if another user owns that home."""
    own = home.root / "jupyter"
    try:
        own.mkdir(parents=True, exist_ok=True)
    except OSError:
        return Folders(instead / "jupyter")
    return Folders(own if os.access(own, os.W_OK) else instead / "jupyter")


def invocation(server: Server, folders: Folders, *, browser: bool) -> tuple[list[str], dict[str, str]]:
    """Return the command that starts JupyterLab, and its environment variables."""
    command = [
        sys.executable, "-P", "-m", "jupyterlab", f"--ServerApp.root_dir={REPO}",
        f"--ServerApp.ip={server.host}", f"--ServerApp.port={server.port}", "--ServerApp.port_retries=0",
        # A browser must use a name of this machine, whatever address the server listens on.
        "--ServerApp.allow_remote_access=False",
        f"--ServerApp.open_browser={browser}",
        "--ServerApp.log_level=WARN",
        "--ServerApp.jpserver_extensions={'lab.jupyter.server': True}",
        f"--LabApp.extra_labextensions_path={CONFIG / 'labextensions'}",
        "--LabApp.extension_manager=readonly",
        f"--ContentsManager.hide_globs={hidden()}",
        "--KernelSpecManager.ensure_native_kernel=False",
        "--KernelSpecManager.allowed_kernelspecs=civildiy-lab",
        "--LabApp.news_url=", "--MultiKernelManager.default_kernel_name=civildiy-lab",
        *folders.options(),
    ]  # fmt: skip
    if os.geteuid() == 0:
        command.append("--allow-root")
    return command, {"JUPYTER_TOKEN": server.token, widgets.VARIABLE: "1", **folders.environment()}


def lead_to(backend: ComposeBackend, console: Console, *, browser: bool) -> None:
    """Print and open the address of the JupyterLab that Compose runs. Raises LabError when it is down."""
    url = backend.jupyterlab()
    if not url:
        raise LabError("JupyterLab runs as a part of the system, which is down. Start both: ./lab up")
    console.print(f"JupyterLab: {url}", soft_wrap=True)
    console.print(f"{BEGIN} JupyterLab runs until ./lab down.")
    if browser:
        webbrowser.open(url)


def _provided() -> list[str]:
    """Make the learner's copies; returns what the learner should know."""
    from lab.notebook import copies  # imports all that notebooks work with

    try:
        return copies.provide()
    except OSError as error:  # JupyterLab is still of use: it shows what is there, and the terminal
        return [f"The notebooks could not be made in {REPO / 'notebooks'}: {error.strerror}."
                " Make the folder writable for this user, then start JupyterLab again."]  # fmt: skip


def reset_notebook(home: Home, console: Console, number: str, yes: bool) -> None:
    """Give a fresh copy of a notebook; the learner's copy is kept. Raises LabError."""
    from lab.notebook import copies, prediction  # they import all that notebooks work with

    text = copies.text_of(number)
    if not yes:
        confirm(f"Replace your notebook {text.stem} and forget your predictions in it?")
    if kept := copies.renew(home, number):
        console.print(f"Your notebook is kept: {kept}", soft_wrap=True)  # to copy and paste
    prediction.forget(home, copies.questions(text))
    console.print(f"notebooks/{text.stem}.ipynb is a fresh copy. If it is open in JupyterLab, close it"
                  " without saving and open it again.", soft_wrap=True)  # fmt: skip


def register(cli: click.Group, home: Home, backend: Backend, console: Console) -> None:
    """Add the command to `cli`."""

    @cli.command()
    @click.option("--no-browser", is_flag=True, help="Only print the address.")
    def notebook(no_browser: bool) -> None:
        """Open JupyterLab with the course; Ctrl-C stops it."""
        if isinstance(backend, ComposeBackend):
            lead_to(backend, console, browser=not no_browser)
            return
        if backend.kind == "inside":
            server, folders = in_container(), writable(home, Path(os.environ["HOME"]))
            if not folders.own.is_relative_to(home.root):
                console.print(
                    f"{home.root} belongs to another user: your JupyterLab settings last only until"
                    " ./lab down. LAB_UID in .env sets the owner of these files."
                )
        else:
            server, folders = on_this_machine(), Folders(home.root / "jupyter")
            console.print(f"JupyterLab: {server.url}", soft_wrap=True)
            console.print(f"{BEGIN} Press Ctrl-C here to stop JupyterLab.")
        for remark in _provided():
            console.print(remark, soft_wrap=True)
        ensure_kernel(folders.data)
        command, env = invocation(server, folders, browser=not no_browser)
        sys.stdout.flush()
        os.execvpe(command[0], command, {**os.environ, **env})  # noqa: S606
