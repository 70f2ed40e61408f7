"""./lab installs the servers beside .venv, waits for both, and ends what it started."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType

import pytest
from lab_script import load


@pytest.fixture
def lab() -> ModuleType:
    return load()


def begin(lab: ModuleType, servers: object, tmp_path: Path, code: str) -> Path:
    """Let `code` be what is installed beside; returns the file in which it notes how it ends."""
    note = tmp_path / "note"
    package = tmp_path / "path" / "lab" / "install"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").touch()
    (package / "__main__.py").write_text(f"from pathlib import Path\nnote = Path({str(note)!r})\n{code}")
    env = {**os.environ, "PYTHONPATH": str(package.parents[1])}
    servers.begin(sys.executable, env)  # type: ignore[attr-defined]
    return note


WAITS = (
    "import signal, sys, time\n"
    "signal.signal(signal.SIGTERM, lambda *_: (note.write_text('ended'), sys.exit(1)))\n"
    "note.write_text('waits')\ntime.sleep(60)\n"
)


def until_noted(note: Path, text: str) -> None:
    deadline = time.monotonic() + 120
    while not (note.exists() and note.read_text() == text):
        assert time.monotonic() < deadline, f"{note} does not hold {text}"
        time.sleep(0.02)


def test_both_are_waited_for(lab: ModuleType, tmp_path: Path) -> None:
    with lab.servers_beside() as servers:
        note = begin(lab, servers, tmp_path, "import time\ntime.sleep(0.3)\nnote.write_text('done')\n")
    assert note.read_text() == "done"


def test_servers_that_cannot_be_installed_end_lab(lab: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended, lab.servers_beside() as servers:
        begin(lab, servers, tmp_path, "raise SystemExit(1)")
    assert ended.value.code == 1


def test_a_venv_that_cannot_be_filled_ends_the_servers_installation(lab: ModuleType, tmp_path: Path) -> None:
    def fails() -> None:
        with lab.servers_beside() as servers:
            until_noted(begin(lab, servers, tmp_path, WAITS), "waits")
            raise lab.Stop("the disk is full")

    with pytest.raises(lab.Stop, match="disk"):
        fails()
    assert (tmp_path / "note").read_text() == "ended"


def test_ctrl_c_ends_the_servers_installation(lab: ModuleType, tmp_path: Path) -> None:
    """While it is waited for, after .venv is done."""

    def interrupt() -> None:
        until_noted(tmp_path / "note", "waits")
        os.kill(os.getpid(), signal.SIGINT)

    def waits() -> None:
        with lab.servers_beside() as servers:
            begin(lab, servers, tmp_path, WAITS)
            threading.Thread(target=interrupt).start()

    # Python leaves SIGINT alone where the tests themselves run as a background job.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            waits()
    finally:
        signal.signal(signal.SIGINT, before)
    assert (tmp_path / "note").read_text() == "ended"


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells a child of its parent's death")
def test_a_killed_lab_leaves_no_installation_behind(tmp_path: Path) -> None:
    """The real installer, which waits for a lock here, ends with the process that started it."""
    home = tmp_path / "home"
    home.mkdir()
    code = (
        "import signal, subprocess, sys\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"  # as in a background job of a script
        "child = subprocess.Popen([sys.executable, '-P', '-m', 'lab.install'], start_new_session=True)\n"
        "print(child.pid, flush=True)\nchild.wait()\n"
    )
    with (home / "install.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        parent = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True,
            env={**os.environ, "LAB_HOME": str(home), "LAB_BACKEND": "native"},
        )  # fmt: skip
        assert parent.stdout
        child = int(parent.stdout.readline())
        assert "waiting for another ./lab that installs" in parent.stdout.readline()
        parent.kill()
        parent.wait()
        deadline = time.monotonic() + 120
        while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not Path(f"/proc/{child}").exists()
        parent.stdout.close()
