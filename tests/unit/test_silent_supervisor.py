"""A supervisor that runs and does not answer, as on an overloaded machine, is not taken for none."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.backends.native import supervisor
from lab.backends.native.backend import NativeBackend
from lab.backends.native.supervisor import Silent
from lab.home import Home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """Provide a home in which something listens as the supervisor, and never answers."""
    monkeypatch.setattr(supervisor, "ANSWER_SECONDS", 0.1)
    made = Home(tmp_path / "home")
    for folder in (made.run, made.logs):
        folder.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(made.run / "supervisor.sock"))
        listening.listen()
        yield made


@pytest.mark.parametrize("question", ["running", "units"])
def test_nothing_is_said_about_units_that_nobody_asked(home: Home, question: str) -> None:
    with pytest.raises(Silent, match=r"did not answer within \d+ s: the machine may be too busy"):
        getattr(NativeBackend(home), question)()


def test_one_unit(home: Home) -> None:
    with pytest.raises(Silent):
        NativeBackend(home).pid_of("redis")


def test_an_order_is_not_answered_with_a_system_that_is_not_running(home: Home) -> None:
    with pytest.raises(Silent):
        supervisor.Supervisor(home.run / "supervisor.sock").ask("POST", "/process/restart/redis", timeout=0.1)


def test_stop_ends_what_a_silent_supervisor_started(home: Home) -> None:
    words = [sys.executable, "-c", "import time; time.sleep(60)", "civildiy"]
    with subprocess.Popen(words, cwd=home.run) as left:
        NativeBackend(home).stop()
        assert left.poll() is not None


def test_without_a_socket_nothing_runs(home: Home) -> None:
    (home.run / "supervisor.sock").unlink()
    backend = NativeBackend(home)
    assert not backend.running()
    assert {unit.state for unit in backend.units()} == {"stopped"}
