"""A clone made by Git for Windows: no carriage return gets into what shells, Python and Compose read."""

import json
import os
import runpy
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]


def git(*words: str | Path, cwd: Path) -> str:
    done = subprocess.run(["git", *words], cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide a clone of the last commit with this folder's attributes, checked out as on Windows."""
    place = tmp_path_factory.mktemp("autocrlf") / "clone"
    git("clone", "-q", "--no-checkout", "-c", "core.autocrlf=true", str(REPO), str(place), cwd=REPO)
    # The attributes as they are now, also before they are committed.
    (place / ".git" / "info" / "attributes").write_text((REPO / ".gitattributes").read_text())
    git("checkout", "-q", "-f", "HEAD", cwd=place)
    return place


def test_git_would_change_the_files_without_attributes(tmp_path: Path) -> None:
    """Else the other tests here could not fail."""
    git("init", "-q", "-b", "main", ".", cwd=tmp_path)
    (tmp_path / "run.sh").write_bytes(b"echo 1\n")
    git("add", "run.sh", cwd=tmp_path)
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "add a script", cwd=tmp_path)
    git("config", "core.autocrlf", "true", cwd=tmp_path)
    (tmp_path / "run.sh").unlink()
    git("checkout", "-q", "--", "run.sh", cwd=tmp_path)
    assert (tmp_path / "run.sh").read_bytes() == b"echo 1\r\n"


def test_no_text_has_a_carriage_return(clone: Path) -> None:
    files = git("ls-files", "-z", cwd=clone).split("\0")[:-1]
    assert len(files) > 500
    texts = [name for name in files if Path(name).suffix not in (".png", ".ico", ".woff2")]
    assert [name for name in texts if b"\r\n" in (clone / name).read_bytes()] == []
    assert {"lab", ".ci/run", "platform/deployment/settings/kafka.env", "requirements/lab.lock"} <= set(texts)


def test_pictures_stay_as_they_are(clone: Path) -> None:
    for name in git("ls-files", "*.png", cwd=clone).split():
        assert (clone / name).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_lab_runs_in_the_clone(clone: Path, tmp_path: Path) -> None:
    """`./lab list` as a program: the first line of the script, its stamp, and all that it imports."""
    # Not LAB_VENV of this folder itself: ./lab points a shared one at the clone that uses it.
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    (site,) = venv.glob("lib/python3*/site-packages")
    (site / "packages.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    lab = runpy.run_path(str(clone / "lab"), run_name="lab")
    stamp = lab["expected_stamp"](venv, venv / "bin" / "python")
    (venv / lab["STAMP"]).write_text(json.dumps(stamp))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"LAB_VENV": str(venv), "LAB_HOME": str(tmp_path / "home"), "LAB_BACKEND": "native"}
    listed = subprocess.run(
        [clone / "lab", "list"], cwd=clone, env=environment, capture_output=True, text=True, check=False
    )
    assert listed.returncode == 0, listed.stdout + listed.stderr
    assert "Making" not in listed.stdout  # the packages were there
    assert "A service that can be trusted" in listed.stdout
    assert f"{clone}/platform" in (site / "civildiy-platform.pth").read_text()
