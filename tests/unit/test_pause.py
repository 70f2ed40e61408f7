"""The first process of a test cluster's pods, see tests/kubernetes/pause.py."""

import platform
import subprocess
from pathlib import Path

import pytest
from kubernetes import pause
from support import eventually

CHILD_ENDED = 1 << (17 - 1)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the program is for x86-64")
def test_it_waits_in_one_thread_and_leaves_no_ended_child(tmp_path: Path) -> None:
    program = tmp_path / "pause"
    program.write_bytes(pause.program())
    program.chmod(0o755)
    status: dict[str, str] = {}

    def ignores_ended_children() -> bool:
        for line in Path(f"/proc/{child.pid}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            status[name] = value.strip()
        return bool(int(status["SigIgn"], 16) & CHILD_ENDED)

    child = subprocess.Popen([program])
    try:
        eventually(ignores_ended_children, within=5, what="SIGCHLD to be ignored")
        assert status["Threads"] == "1"
        assert child.poll() is None
    finally:
        child.kill()
        child.wait()
