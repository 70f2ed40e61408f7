"""./lab notebook: JupyterLab with the course in it; settings and kernel come along, offline too.

The same code starts it on a person's own machine and in Compose's container, where `lab notebook` is what
the container runs. Outside of that container the command leads to it.
"""

import os
import secrets
import socket
import sys
import webbrowser
from dataclasses import dataclass
from pathlib import Path

import click

from lab import jupyter
from lab.backends.compose.backend import ComposeBackend
from lab.backends.protocol import Backend
from lab.errors import LabError
from lab.home import REPO, Home
from lab.jupyter import widgets
from lab.jupyter.kernel import ensure_kernel
from lab.terminal import Console

CONFIG = Path(jupyter.__file__).parent / "config"
PORT = 8888
BEGIN = "Begin with notebooks/00-tour.ipynb."
HIDDEN = ["__pycache__", "*.pyc", "*~", "reference", "results", "requirements", "tests", "checks"]
"""What JupyterLab's list of files leaves out: the executed copies, which hold all answers, and what a
learner does not need.
"""


@dataclass(frozen=True)
class Server:
    """Where JupyterLab listens, and the token that it asks for."""

    host: str
    port: int
    token: str

    @property
    def url(self) -> str:
        """What a browser on this machine opens."""
        return f"http://127.0.0.1:{self.port}/lab?token={self.token}"


@dataclass(frozen=True)
class Folders:
    """What JupyterLab writes, all below one folder; a person's own Jupyter settings are not touched."""

    own: Path

    @property
    def data(self) -> Path:
        """Where it finds the kernel of the course."""
        return self.own / "data"

    def options(self) -> list[str]:
        """Options of JupyterLab."""
        return [
            f"--LabApp.workspaces_dir={self.own / 'workspaces'}",
            f"--LabApp.user_settings_dir={self.own / 'settings'}",
        ]

    def environment(self) -> dict[str, str]:
        """Variables of Jupyter."""
        return {
            "JUPYTER_CONFIG_PATH": str(CONFIG), "JUPYTER_CONFIG_DIR": str(self.own / "config"),
            "JUPYTER_DATA_DIR": str(self.data), "JUPYTER_NO_CONFIG": "", "JUPYTER_PLATFORM_DIRS": "1",
        }  # fmt: skip


def on_this_machine() -> Server:
    """LAB_PORT_JUPYTER or 8888 on loopback. Raises LabError when it is taken or no port at all."""
    given = os.environ.get("LAB_PORT_JUPYTER", str(PORT))
    if not (given.isdigit() and 0 < int(given) < 65536):
        raise LabError(f"LAB_PORT_JUPYTER={given} is not a port; give a number from 1 to 65535.")
    if taken := _taken("127.0.0.1", int(given)):
        raise LabError(
            f"127.0.0.1:{given} is not free ({taken}). Another JupyterLab may run there;"
            " use that one, or: LAB_PORT_JUPYTER=… ./lab notebook"
        )
    return Server("127.0.0.1", int(given), secrets.token_hex(16))


def in_container() -> Server:
    """All addresses of the container; what Compose publishes of them is up to docker-compose.yml.

    Raises LabError without a token, or when JupyterLab runs already.
    """
    token = os.environ.get("JUPYTER_TOKEN", "")
    if not token:
        raise LabError("JUPYTER_TOKEN is empty, and JupyterLab would be open to all. Make it: ./lab secrets")
    if _taken("0.0.0.0", PORT):  # noqa: S104 - the container's
        raise LabError("You are in JupyterLab already. " + BEGIN)
    return Server("0.0.0.0", PORT, token)  # noqa: S104 - the container's


def _taken(host: str, port: int) -> str:
    """Why nobody can listen there; '' when one can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return ""


def writable(home: Home, instead: Path) -> Folders:
    """JupyterLab's folder in the lab's home; below `instead` where that belongs to somebody else."""
    own = home.root / "jupyter"
    try:
        own.mkdir(parents=True, exist_ok=True)
    except OSError:
        return Folders(instead / "jupyter")
    return Folders(own if os.access(own, os.W_OK) else instead / "jupyter")


def invocation(server: Server, folders: Folders, *, browser: bool) -> tuple[list[str], dict[str, str]]:
    """The command that starts JupyterLab, and its environment."""
    command = [
        sys.executable, "-P", "-m", "jupyterlab", f"--ServerApp.root_dir={REPO}",
        f"--ServerApp.ip={server.host}", f"--ServerApp.port={server.port}", "--ServerApp.port_retries=0",
        # Whoever asks does so by a name of this machine, wherever the server listens.
        "--ServerApp.allow_remote_access=False",
        f"--ServerApp.open_browser={browser}",
        "--ServerApp.log_level=WARN",
        "--ServerApp.jpserver_extensions={'lab.jupyter.server': True}",
        f"--LabApp.extra_labextensions_path={CONFIG / 'labextensions'}",
        "--LabApp.extension_manager=readonly",
        f"--ContentsManager.hide_globs={HIDDEN}",
        "--KernelSpecManager.ensure_native_kernel=False",
        "--KernelSpecManager.allowed_kernelspecs=civildiy-lab",
        "--LabApp.news_url=", "--MultiKernelManager.default_kernel_name=civildiy-lab",
        *folders.options(),
    ]  # fmt: skip
    if os.geteuid() == 0:
        command.append("--allow-root")
    return command, {"JUPYTER_TOKEN": server.token, widgets.VARIABLE: "1", **folders.environment()}


def lead_to(backend: ComposeBackend, console: Console, *, browser: bool) -> None:
    """Print, and open, the address of the JupyterLab that Compose runs. Raises LabError when it does not."""
    url = backend.jupyterlab()
    if not url:
        raise LabError("JupyterLab runs beside the system, which is down. Start both: ./lab up")
    console.print(f"JupyterLab: {url}", soft_wrap=True)
    console.print(f"{BEGIN} It runs beside the system until ./lab down.")
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
        click.confirm(f"Replace your notebook {text.stem} and forget your predictions in it?", abort=True)
    if kept := copies.renew(home, number):
        console.print(f"Your notebook is kept: {kept}", soft_wrap=True)  # to copy and paste
    prediction.forget(home, copies.questions(text))
    console.print(f"notebooks/{text.stem}.ipynb is a fresh copy. If it is open in JupyterLab, close it"
                  " without saving and open it again.", soft_wrap=True)  # fmt: skip


def register(cli: click.Group, home: Home, backend: Backend, console: Console) -> None:
    """Add the command to `cli`."""

    @cli.command()
    @click.option("--no-browser", is_flag=True, help="Print the address only.")
    def notebook(no_browser: bool) -> None:
        """Open JupyterLab with the course; Ctrl-C ends it."""
        if isinstance(backend, ComposeBackend):
            lead_to(backend, console, browser=not no_browser)
            return
        if backend.kind == "inside":
            server, folders = in_container(), writable(home, Path(os.environ["HOME"]))
            if not folders.own.is_relative_to(home.root):
                console.print(f"{home.root} belongs to another user: what is set in JupyterLab is kept until"
                              " ./lab down only. LAB_UID in .env says whose files these are.")  # fmt: skip
        else:
            server, folders = on_this_machine(), Folders(home.root / "jupyter")
            console.print(f"JupyterLab: {server.url}", soft_wrap=True)
            console.print(f"{BEGIN} Ctrl-C here ends it.")
        for remark in _provided():
            console.print(remark, soft_wrap=True)
        ensure_kernel(folders.data)
        command, env = invocation(server, folders, browser=not no_browser)
        sys.stdout.flush()
        os.execvpe(command[0], command, {**os.environ, **env})  # noqa: S606
