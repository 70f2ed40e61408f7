"""JupyterLab is started in one way: on a person's machine, and in Compose's container."""

import json
from pathlib import Path

import pytest

from lab.commands.notebook import Folders, Server, in_container, invocation, writable
from lab.errors import LabError
from lab.home import Home
from lab.jupyter.kernel import NAME, ensure_kernel


def test_invocation_writes_below_its_own_folder_only(tmp_path: Path) -> None:
    server = Server("0.0.0.0", 8888, "secret")
    command, env = invocation(server, Folders(tmp_path), browser=False)
    assert "--ServerApp.ip=0.0.0.0" in command
    assert "--ServerApp.allow_remote_access=False" in command
    assert env["JUPYTER_TOKEN"] == "secret"
    assert "secret" not in " ".join(command)  # what others on the machine can list
    written = [word.partition("=")[2] for word in command if word.startswith("--LabApp.") and "_dir=" in word]
    written += [env["JUPYTER_DATA_DIR"], env["JUPYTER_CONFIG_DIR"]]
    assert len(written) == 4
    assert all(Path(folder).is_relative_to(tmp_path) for folder in written)


def test_jupyterlab_is_given_the_settings_and_the_extension_of_the_course(tmp_path: Path) -> None:
    command, env = invocation(Server("127.0.0.1", 8888, "secret"), Folders(tmp_path), browser=False)
    (extensions,) = [word.partition("=")[2] for word in command if "extra_labextensions_path" in word]
    assert (Path(extensions) / "civildiy-lab" / "static" / "remoteEntry.js").exists()
    settings = Path(env["JUPYTER_CONFIG_PATH"]) / "labconfig" / "default_setting_overrides.json"
    assert "docmanager-extension:plugin" in settings.read_text()


def test_kernel_is_where_jupyterlab_looks(tmp_path: Path) -> None:
    folder = ensure_kernel(Folders(tmp_path).data)
    assert folder == tmp_path / "data" / "kernels" / NAME
    assert json.loads((folder / "kernel.json").read_text())["display_name"] == "CivilDIY Lab"


def test_a_container_without_a_token_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_TOKEN", "")
    with pytest.raises(LabError, match="JUPYTER_TOKEN is empty"):
        in_container()


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").touch()  # below a file nobody can make a folder, not even root
    own = writable(Home(tmp_path / "file" / "home"), tmp_path / "instead").own
    assert own == tmp_path / "instead" / "jupyter"
    assert writable(Home(tmp_path / "home"), tmp_path / "instead").own == tmp_path / "home" / "jupyter"
