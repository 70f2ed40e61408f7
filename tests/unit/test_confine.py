"""The limits of a learner's process, with real programs: each attempt is refused by the kernel."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.classroom import confine, second_user
from lab.home import PLATFORM

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the limits are Linux's")
pytestmark = LINUX
LANDLOCK = confine.landlock_version() if sys.platform == "linux" else 0
PYTHON = os.path.realpath("/usr/bin/python3") if Path("/usr/bin/python3").exists() else sys.executable
MOST = 40 if os.geteuid() == 0 else 4000
SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc", "/proc", "/dev/urandom")
TRY = """
import json, os, resource, signal, sys
def attempt(act):
    try:
        act()
    except BaseException as error:
        return type(error).__name__
    return "done"
def many():
    for _ in range(200):
        if os.fork() == 0:
            os.kill(os.getpid(), signal.SIGSTOP)
def big():
    with open(sys.argv[1] + "/big", "wb") as out:
        out.write(b"x" * 5_000_000)
said = {
    "write inside": attempt(lambda: open(sys.argv[1] + "/a", "w").write("a")),
    "write outside": attempt(lambda: open(sys.argv[2] + "/a", "w").write("a")),
    "read outside": attempt(lambda: open(sys.argv[2] + "/secret").read()),
    "null": attempt(lambda: open("/dev/null", "w").write("a")),
    "signal": attempt(lambda: os.kill(int(sys.argv[3]), 0)),
    "big file": attempt(big),
    "memory": attempt(lambda: bytearray(600_000_000)),
    "lift": attempt(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10**9, 10**9))),
    "many processes": attempt(many),
    "user": os.getuid(),
    "pid": os.getpid(),
}
print(json.dumps(said), flush=True)
os.killpg(0, signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def said() -> Iterator[dict[str, object]]:
    """What a confined program could do; it has the id of the process that was started."""
    # pytest's own folders belong to one user, and the confined program is another one.
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        inside, outside = Path(place, "inside"), Path(place, "outside")
        inside.mkdir()
        outside.mkdir()
        (outside / "secret").write_text("secret")
        inside.chmod(0o777)
        yield tried(inside, outside)


def tried(inside: Path, outside: Path) -> dict[str, object]:
    command = [
        PYTHON, "-I", "-S", str(Path(confine.__file__)), f"--processes={MOST}",
        "--memory=500000000", "--file=1000000", *(f"--read={path}" for path in SYSTEM), f"--write={inside}",
        *(["--user=61182"] if os.geteuid() == 0 else []), "--", PYTHON, "-I", "-c", TRY, str(inside),
        str(outside), str(os.getpid()),
    ]  # fmt: skip
    done = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    out, errors = done.communicate(timeout=60)
    assert out, errors
    found: dict[str, object] = json.loads(out)
    return found | {"started": done.pid}


def test_a_confined_program_keeps_its_process_id_and_its_own_folder(said: dict[str, object]) -> None:
    assert said["pid"] == said["started"]
    assert said["write inside"] == said["null"] == "done"


def test_resource_limits_hold_and_cannot_be_lifted(said: dict[str, object]) -> None:
    assert said["big file"] == "OSError"
    assert said["memory"] == "MemoryError"
    assert said["lift"] in ("ValueError", "PermissionError")


@pytest.mark.skipif(LANDLOCK < 1, reason="this kernel has no Landlock")
def test_landlock_refuses_files_outside(said: dict[str, object]) -> None:
    assert said["write outside"] == said["read outside"] == "PermissionError"


@pytest.mark.skipif(LANDLOCK < 6 and os.geteuid() != 0, reason="neither another user nor Landlock 6")
def test_no_signal_reaches_a_process_outside(said: dict[str, object]) -> None:
    assert said["signal"] == "PermissionError"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give the program a user of its own")
def test_a_fork_bomb_of_another_user_ends_at_the_limit(said: dict[str, object]) -> None:
    assert said["user"] == 61182
    assert said["many processes"] == "BlockingIOError"


HAND_ON = """
import ctypes, os, sys
from lab.classroom import kernel, second_user

ctypes.CDLL(None).prctl(8, 1, 0, 0, 0)  # PR_SET_KEEPCAPS
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
kernel.hand_on(second_user.HANDED_ON)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has capabilities to hand on")
@pytest.mark.parametrize("confined", [True, False])
def test_a_second_user_gets_none_of_the_capabilities_that_start_it(confined: bool) -> None:
    show = [
        PYTHON,
        "-I",
        "-c",
        "import os; print(os.getuid(), os.getgid(), open('/proc/self/status').read())",
    ]
    limits = [
        "--processes=50", "--memory=500000000", "--file=1000000", *(f"--read={path}" for path in SYSTEM),
        "--user=61182", "--group=61183", "--",
    ]  # fmt: skip
    program = [PYTHON, "-I", "-S", str(Path(confine.__file__)), *limits, *show] if confined else show
    done = subprocess.run(
        [PYTHON, "-P", "-c", HAND_ON, *program], capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": str(PLATFORM), "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, *status = done.stdout.splitlines()
    kept = {line.split(":")[0]: int(line.split()[1], 16) for line in status if line.startswith("Cap")}
    if confined:
        assert first.startswith("61182 61183")
        assert kept["CapEff"] == kept["CapPrm"] == kept["CapAmb"] == 0
    else:
        assert kept["CapEff"] == sum(1 << number for number in second_user.HANDED_ON)
