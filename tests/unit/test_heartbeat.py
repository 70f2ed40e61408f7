"""A worker updates its heartbeat file; the health check of its container notices when it stops."""

import os
import time
from pathlib import Path

import pytest

from civildiy.chassis.observability import healthcheck
from civildiy.chassis.worker import Stopped


def test_each_question_is_a_beat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "worker.beat"
    monkeypatch.setenv("HEARTBEAT_FILE", str(file))
    stopped = Stopped(file)
    assert healthcheck.main() == 1  # it has not begun
    assert not stopped.is_set()
    assert healthcheck.main() == 0
    long_ago = time.time() - healthcheck.BEAT_SECONDS - 1
    os.utime(file, (long_ago, long_ago))
    assert healthcheck.main() == 1
    assert Stopped(file).wait(0) is False  # a new process
    assert healthcheck.main() == 0


def test_a_sign_that_cannot_be_written_ends_nobody(tmp_path: Path) -> None:
    stopped = Stopped(tmp_path / "missing" / "worker.beat")
    assert not stopped.is_set()
    stopped.set()
    assert stopped.wait(10)


def test_without_a_file_there_is_none() -> None:
    assert not Stopped(None).is_set()
