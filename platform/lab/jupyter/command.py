"""./lab notebook: JupyterLab with the course in it; settings and kernel come along, offline too."""

import os
import secrets
import socket
import sys
from pathlib import Path

import click
from rich.console import Console

from lab.errors import LabError
from lab.home import REPO, Home
from lab.jupyter.kernel import ensure_kernel

CONFIG = Path(__file__).parent / "config"
PORT = 8888


def port() -> int:
    """LAB_PORT_JUPYTER or 8888. Raises LabError when it is taken or no port at all."""
    given = os.environ.get("LAB_PORT_JUPYTER", str(PORT))
    if not (given.isdigit() and 0 < int(given) < 65536):
        raise LabError(f"LAB_PORT_JUPYTER={given} is not a port; give a number from 1 to 65535.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(given)))
        except OSError as error:
            raise LabError(
                f"127.0.0.1:{given} is not free ({error.strerror}). Another JupyterLab may run there;"
                " use that one, or: LAB_PORT_JUPYTER=8889 ./lab notebook"
            ) from error
    return int(given)


def invocation(home: Home, number: int, token: str, *, browser: bool) -> tuple[list[str], dict[str, str]]:
    """The command that starts JupyterLab, and its environment."""
    own = home.root / "jupyter"
    command = [
        sys.executable, "-P", "-m", "jupyterlab", f"--ServerApp.root_dir={REPO}", "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={number}", "--ServerApp.port_retries=0", f"--ServerApp.open_browser={browser}",
        "--ServerApp.log_level=WARN",
        "--ServerApp.jpserver_extensions={'lab.jupyter.server': True}",
        f"--LabApp.extra_labextensions_path={CONFIG / 'labextensions'}",
        "--LabApp.extension_manager=readonly",
        "--KernelSpecManager.ensure_native_kernel=False",
        "--KernelSpecManager.allowed_kernelspecs=civildiy-lab",
        "--LabApp.news_url=", "--MultiKernelManager.default_kernel_name=civildiy-lab",
        f"--LabApp.workspaces_dir={own / 'workspaces'}", f"--LabApp.user_settings_dir={own / 'settings'}",
    ]  # fmt: skip
    if os.geteuid() == 0:
        command.append("--allow-root")
    env = {
        "JUPYTER_TOKEN": token, "JUPYTER_CONFIG_PATH": str(CONFIG), "JUPYTER_CONFIG_DIR": str(own / "config"),
        "JUPYTER_DATA_DIR": str(own / "data"), "JUPYTER_NO_CONFIG": "", "JUPYTER_PLATFORM_DIRS": "1",
    }  # fmt: skip
    return command, env


def register(cli: click.Group, home: Home, console: Console) -> None:
    """Add the command to `cli`."""

    @cli.command()
    @click.option("--no-browser", is_flag=True, help="Print the address only.")
    def notebook(no_browser: bool) -> None:
        """Open JupyterLab with the course; Ctrl-C ends it."""
        number = port()
        ensure_kernel()
        token = secrets.token_hex(16)
        command, env = invocation(home, number, token, browser=not no_browser)
        console.print(
            f"JupyterLab: http://127.0.0.1:{number}/lab?token={token}", markup=False, soft_wrap=True
        )
        console.print("Begin with notebooks/00-tour.ipynb. Ctrl-C here ends it.", markup=False)
        sys.stdout.flush()
        os.execvpe(command[0], command, {**os.environ, **env})  # noqa: S606
