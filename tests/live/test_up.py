"""`./lab up` after an interrupted one, and with a port that another program uses."""

import os
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support import ENDPOINTS, Person, backend, eventually, home, until_healthy

from lab.backends.native import postgresql
from lab.deadlines import slow
from lab.home import REPO

pytestmark = [
    pytest.mark.fault,
    pytest.mark.campaign,
    pytest.mark.skipif(backend.kind != "native", reason="looks into the native backend's folders"),
]


def lab(*arguments: str, code: int = 0) -> str:
    ran = subprocess.run(
        [REPO / "lab", *arguments], capture_output=True, text=True, check=False, timeout=120 * slow()
    )
    assert ran.returncode == code, ran.stdout + ran.stderr
    assert "Traceback" not in ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def leave_behind() -> None:
    """The remains of a power failure: the pid of another process, a dead socket, an incomplete folder."""
    (postgresql.data_folder(home) / "postmaster.pid").write_text("1\n/somewhere\n")
    (home.run / "supervisor.sock").unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(home.run / "supervisor.sock"))
    (postgresql.data_folder(home).with_name("postgresql.new") / "base").mkdir(parents=True, exist_ok=True)


@pytest.mark.parametrize("cut_when", ["supervisor.log", "posts.log"])
def test_up_after_one_that_was_killed(cut_when: str) -> None:
    """The command is killed just after its start, and while the services are starting."""
    person = Person()
    lab("down")
    watched: Path = home.logs / cut_when
    before = watched.stat().st_mtime
    cut = subprocess.Popen(
        [REPO / "lab", "up"], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    eventually(lambda: watched.stat().st_mtime > before, within=60, what=f"{cut_when} to be written")
    os.killpg(cut.pid, signal.SIGKILL)
    cut.wait()
    if cut_when == "supervisor.log":
        lab("down")
        leave_behind()
    assert "The system is up" in lab("up")
    until_healthy()
    login = person.http.post("/api/auth/login", json={"email": person.email, "password": person.password})
    assert login.status_code == 200


def test_a_taken_port_is_named_and_nothing_is_started() -> None:
    lab("down")
    host, port = ENDPOINTS["redis"].split(":")
    try:
        with socket.create_server((host, int(port))):
            said = lab("up", code=1)
        assert f"redis: {host}:{port} is not free" in said
        assert f"pid {os.getpid()}" in said
        assert "LAB_PORT_REDIS=" in said
        assert not backend.running()
    finally:
        lab("up")
    until_healthy()


@pytest.mark.parametrize("how", ["stopped", "paused"])
def test_up_starts_a_worker_that_does_not_work(how: str) -> None:
    """A worker has no port, so every service answers without it."""
    backend.stop_unit("posts-relay") if how == "stopped" else backend.freeze("posts-relay")
    try:
        assert "Not running: posts-relay" in lab("up")
        eventually(lambda: "posts-relay" not in lab("status").partition("differs")[2], within=60,
                   what="a status without problems")  # fmt: skip
    finally:
        backend.thaw("posts-relay")
        backend.start_unit("posts-relay")
    until_healthy()


def test_a_start_ordered_before_a_stop_has_ended_is_not_lost() -> None:
    """After a check is interrupted while it stops a server, a new start begins before the stop has ended."""
    backend.freeze("redis")  # it cannot react to the order to end
    with ThreadPoolExecutor(2) as threads:
        try:
            stop = threads.submit(backend.stop_unit, "redis")
            eventually(lambda: backend.pid_of("redis") is None, within=5, what="the stop to be under way")
            start = threads.submit(backend.start_unit, "redis")
            with pytest.raises(TimeoutError):
                start.result(timeout=0.5)  # the old process is still there
        finally:
            backend.thaw("redis")
        stop.result()
        start.result()
    eventually(lambda: backend.pid_of("redis"), within=5, what="Redis to run")
    until_healthy()
