"""What the native backend reports about processes that start and end."""

import signal
import subprocess
from pathlib import Path

import pytest

from lab.backends.native.backend import NativeBackend
from lab.errors import LabError
from lab.home import Home


def test_signal_to_a_process_that_has_just_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    backend = NativeBackend(Home(tmp_path))
    monkeypatch.setattr(backend, "pid_of", lambda unit: ended.pid)
    with pytest.raises(LabError, match="posts is not running"):
        backend.signal("posts", signal.SIGKILL)


def test_the_secrets_of_an_empty_home_are_made_before_any_folder(tmp_path: Path) -> None:
    # The first start asks for the settings of the units before it has created its folders.
    home = Home(tmp_path / "home")
    assert NativeBackend(home).variables()["POSTGRES_SUPERUSER_PASSWORD"]
    assert home.secrets.stat().st_mode & 0o777 == 0o600
