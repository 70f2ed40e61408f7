"""No step of the tests on Compose can hang, and missing requirements are reported."""

import os
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from compose import step
from compose.machine import Machine
from support import eventually

from lab.errors import LabError
from lab.home import Home


def test_a_command_that_hangs_is_ended_with_what_it_started() -> None:
    # As `docker compose exec`: a child of its own holds the pipe, and hears no Ctrl-C.
    child = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(60)"
    program = (
        f"import subprocess, sys; c = subprocess.Popen([sys.executable, '-c', {child!r}]);"
        "print(c.pid, flush=True); c.wait()"
    )
    began = time.monotonic()
    with pytest.raises(step.TimeIsUp, match=r"did not end in 2 s:\n\d+") as late:
        step.run([sys.executable, "-c", program], os.environ, 2)
    assert time.monotonic() - began < 30
    pid = int(str(late.value).split("\n")[1])
    eventually(lambda: gone(pid), within=5, what="the end of the command's child")


def gone(pid: int) -> bool:
    """Return whether a process has ended; its new parent may not have noticed that yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def waits_twice(read: int) -> None:
    with step.limited("the outer one", 2):
        with suppress(step.TimeIsUp), step.limited("the inner one", 0.1):
            os.read(read, 1)
        os.read(read, 1)


def test_a_step_that_waits_for_ever_ends_with_a_message() -> None:
    read, write = os.pipe()
    with pytest.raises(step.TimeIsUp, match="the inner one was not done after 1 s"):  # noqa: SIM117
        with step.limited("the inner one", 0.1):
            os.read(read, 1)
    # A limit within another one leaves that one as it was.
    with pytest.raises(step.TimeIsUp, match="the outer one was not done after 2 s"):
        waits_twice(read)
    os.close(read)
    os.close(write)


def test_without_go_it_is_said_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for program in ("dockerd", "docker", "iptables", "mmdebstrap"):
        (tmp_path / program).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("LAB_ENGINE", raising=False)
    with pytest.raises(LabError, match="no `go` on PATH"):
        Machine(Home(tmp_path / "home")).install()
