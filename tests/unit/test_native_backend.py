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
