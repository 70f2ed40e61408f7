"""Users without a home folder, folders of other users, paths that servers would split: one message each."""

import os
import subprocess
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.failures import sentence
from lab.home import REPO, Home

NOBODY = 54_321
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def refused(*command: str, **environment: str) -> str:
    env = {
        name: value
        for name, value in os.environ.items()
        if name not in ("HOME", "XDG_CACHE_HOME", "LAB_HOME")
    }
    env |= {"LAB_BACKEND": "native"}
    ran = subprocess.run(
        command, cwd=REPO, env=env | environment, capture_output=True, text=True, check=False, timeout=300
    )
    said = ran.stdout + ran.stderr
    assert ran.returncode in (1, 2), said  # 2: the call itself is wrong
    assert "Traceback" not in said
    return " ".join(said.split())


@as_root
def test_an_unknown_user_without_a_home_folder() -> None:
    said = refused(*AS_NOBODY, "./lab", "endpoints")
    # Where the clone is closed to other users, Python cannot even be started; both are one sentence.
    assert "LAB_HOME=FOLDER ./lab" in said or "cannot be used" in said or "Permission denied" in said


def test_no_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("LAB_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", none)
    with pytest.raises(LabError, match="has no home folder"):
        Home.from_environment()
    monkeypatch.setenv("LAB_HOME", "/somewhere")
    assert Home.from_environment().root == Path("/somewhere")


@pytest.mark.parametrize("place", ["/tmp/a:b", "/tmp/a,b", "/tmp/a\x1bb", "/tmp/a\nb", "/tmp/\u202eb"])
def test_paths_that_servers_cut(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_HOME", place)
    with pytest.raises(LabError, match="LAB_HOME is") as said:
        Home.from_environment()
    assert "\x1b" not in str(said.value)


@pytest.mark.parametrize("place", ["folder", "./x", "../x", "~/x", "~nobody-at-all/x", "\x1b[1m"])
def test_a_relative_home_is_refused(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would name another folder for each current folder: a running system would seem to be down."""
    monkeypatch.setenv("LAB_HOME", place)
    with pytest.raises(LabError, match="must begin with /") as said:
        Home.from_environment()
    assert "LAB_HOME=/" in str(said.value)
    assert "\x1b" not in str(said.value)


def test_a_relative_cache_folder_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    assert Home.from_environment().root == Path.home() / ".cache" / "civildiy-lab"


def test_paths_with_spaces_and_accents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_HOME", "/tmp/mes données, 東京".replace(",", ""))
    assert Home.from_environment().root.name == "mes données 東京"


def test_a_home_that_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert f"{file} is a file" in refused("./lab", "up", LAB_HOME=str(file))
    assert f"{file} is a file" in refused("./lab", "up", LAB_HOME=str(file / "below"))


def test_errors_name_the_owner(tmp_path: Path) -> None:
    said = sentence(PermissionError(13, "Permission denied", "/etc/shadow/x"), Home(tmp_path))
    assert "LAB_HOME=FOLDER" in said or "permissions forbid it" in said
    assert "is full" in sentence(OSError(28, "No space left"), Home(tmp_path))
    said = sentence(ValueError("[/b]\x1b"), Home(tmp_path))
    assert "errors.log" in said
    assert "\x1b" not in said
    assert "ValueError" in (tmp_path / "errors.log").read_text()


@pytest.mark.parametrize(
    ("path", "remedy"),
    [
        ("{here}/none/report.json", "each folder in it must exist"), ("{here}", "Name a file in this folder"),
        ("{here}/file/below", "A part of the path is a file"), ("{here}/" + "x" * 300, "a shorter path"),
        ("{here}/loop/x", "Name another path"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_written(path: str, remedy: str, tmp_path: Path) -> None:
    """Each sentence names the path, what is wrong, and what to do."""
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    named = path.format(here=tmp_path)
    said = refused("./lab", "report", "--json", named, LAB_HOME=str(tmp_path))
    assert said.startswith(named[:150]), said
    assert remedy in said
    assert not (tmp_path / "errors.log").exists()


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (("up",), {"LAB_SLOW": "nan"}), (("up",), {"LAB_SLOW": "1e999"}),
        (("up",), {"LAB_BACKEND": "podman"}), (("notebook", "--no-browser"), {"LAB_PORT_JUPYTER": "²"}),
        (("endpoints",), {"LAB_PORT_HTTP": "٨٠"}), (("endpoints",), {"LAB_PORT_REDIS": "0"}),
        (("storm", "--minutes", "nan"), {}), (("soak", "--writes", "nan"), {}), (("check", "x" * 80), {}),
        (("check", "[/b]"), {}), (("hint", "99"), {}), (("break", "nosuch"), {}),
    ],
)  # fmt: skip
def test_wrong_input_is_one_sentence(
    arguments: tuple[str, ...], environment: dict[str, str], tmp_path: Path
) -> None:
    said = refused("./lab", *arguments, **({"LAB_HOME": str(tmp_path)} | environment))
    wrong = (*environment.values(), *arguments[-1:])[0]
    assert wrong in said, said
    assert "The command failed" not in said, "the error is expected"


def test_a_log_that_is_not_there_yet(tmp_path: Path) -> None:
    said = refused("./lab", "logs", "posts", LAB_HOME=str(tmp_path))
    assert said == "posts has no log yet, because it has never run. Start the system: ./lab up"
