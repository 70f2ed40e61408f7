"""A start that cannot succeed reports why; two simultaneous starts wait for each other."""

import io
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import pytest

from lab.backends.native import guards
from lab.backends.native.guards import one_at_a_time, refuse_full_disk
from lab.backends.native.supervisor import LONGEST_SOCKET, Supervisor
from lab.errors import LabError
from lab.home import PLATFORM, Home
from lab.progress import Progress
from lab.terminal import Console


def made(root: Path) -> Home:
    home = Home(root)
    for folder in (home.run, home.logs):
        folder.mkdir(parents=True)
    return home


def program(folder: Path, script: str) -> Path:
    file = folder / "supervisor"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


def test_a_supervisor_that_ends_at_once_is_quoted(tmp_path: Path) -> None:
    home = made(tmp_path / "home")
    ends = program(tmp_path, "echo no space left on device >&2; exit 1")
    with pytest.raises(LabError, match=r"did not start:\nno space left on device"):
        Supervisor(home.run / "supervisor.sock").start(ends, home.run / "config", home)


def test_a_place_that_is_too_long_for_a_socket(tmp_path: Path) -> None:
    home = made(tmp_path / ("x" * LONGEST_SOCKET))
    with pytest.raises(LabError, match="LAB_HOME="):
        Supervisor(home.run / "supervisor.sock").start(Path("/bin/true"), home.run / "config", home)


@pytest.mark.parametrize(
    ("soft", "hard", "then"),
    [(64, 5000, 4096), (64, 2000, 2000), (4500, 5000, 4500), (64, 512, None)],
)
def test_a_low_limit_of_open_files(soft: int, hard: int, then: int | None) -> None:
    """The limit is raised where the user may do that; otherwise nothing starts."""
    program = (
        "import resource; from lab.backends.native.guards import allow_enough_files\n"
        "try:\n    allow_enough_files()\n    print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])\n"
        "except Exception as error:\n    print(error)"
    )
    command = ["prlimit", f"--nofile={soft}:{hard}", sys.executable, "-c", program]
    env = dict(os.environ) | {"PYTHONPATH": str(PLATFORM)}
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout
    assert said.strip() == str(then) if then else "may open at most 512 files; the servers need 1024" in said


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_full_disk(Home(tmp_path))
    monkeypatch.setattr(guards, "LEAST_DISK", shutil.disk_usage(tmp_path).total + 1)
    with pytest.raises(LabError, match=f"free at {tmp_path}"):
        refuse_full_disk(Home(tmp_path))


def test_a_second_start_says_that_it_waits(tmp_path: Path) -> None:
    said, order = io.StringIO(), list[str]()

    def second() -> None:
        with one_at_a_time(Home(tmp_path), Progress(Console(file=said, width=200))):
            order.append("second")

    with one_at_a_time(Home(tmp_path), None):
        thread = Thread(target=second)
        thread.start()
        deadline = time.monotonic() + 10
        while "waiting for another" not in said.getvalue() and time.monotonic() < deadline:
            os.sched_yield()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert "another ./lab" in said.getvalue()
