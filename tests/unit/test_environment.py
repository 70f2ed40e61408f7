"""What a user has set for other programs reaches no check, and no PYTHON variable reaches ./lab."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab import environment
from lab.course.exercise import exercises
from lab.home import REPO

HOSTILE = {
    "PYTEST_ADDOPTS": "-k health", "PYTEST_PLUGINS": "nosuch", "PYTHONPATH": "/nonexistent",
    "PYTHONOPTIMIZE": "2", "PYTHONWARNINGS": "error", "PYTHONSTARTUP": "/x", "PYTHONSAFEPATH": "1",
    "COLUMNS": "30", "LANG": "C", "LC_ALL": "C", "TZ": "Asia/Kathmandu", "HTTP_PROXY": "http://x:1",
    "https_proxy": "http://x:1", "ALL_PROXY": "socks5://x", "SSL_CERT_FILE": "/x", "NETRC": "/x",
    "FORCE_COLOR": "1", "NO_COLOR": "1", "CONSUL_HTTP_ADDR": "http://x", "JAVA_TOOL_OPTIONS": "-Dx",
    "PGHOST": "x", "TRAEFIK_LOG_LEVEL": "DEBUG", "TMPDIR": "/dev/null/nowhere",
}  # fmt: skip


def test_nothing_foreign_is_left() -> None:
    found = environment.own({**HOSTILE, "PATH": "/bin", "LAB_HOME": "/h", "HOME": "/root"})
    assert found == {"PATH": "/bin", "LAB_HOME": "/h", "HOME": "/root", **environment.OUR_OWN}


def test_checks_take_no_configuration_of_others(tmp_path: Path) -> None:
    """The same tests are collected, whatever the user's variables and the folders above say."""

    def collected(env: dict[str, str]) -> str:
        command = [*environment.pytest_command(), "-q", "--collect-only", "tests/unit/test_admission.py"]
        ran = subprocess.run(command, cwd=REPO, env=env, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout.partition("\n\n")[0]

    (tmp_path / "types.py").write_text("raise SystemExit('shadowed')")
    hostile = {**os.environ, **HOSTILE, "PYTHONPATH": str(tmp_path), "PYTEST_ADDOPTS": "-k nothing"}
    assert collected(environment.own(hostile)) == collected(environment.own())


@pytest.mark.parametrize("started", ["./lab", "python"])
def test_lab_starts_whatever_python_is_told(started: str, tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('shadowed')")
    (tmp_path / "lab.py").write_text("raise SystemExit('shadowed')")
    hostile = {**os.environ, **HOSTILE, "PYTHONPATH": str(tmp_path), "COLUMNS": "²"}
    for name in ("LAB_PORT_HTTP", "PYTHONSAFEPATH"):
        hostile.pop(name, None)
    command = [str(REPO / "lab")] if started == "./lab" else [sys.executable, "-E", str(REPO / "lab")]
    ran = subprocess.run([*command, "--help"], env=hostile, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "CivilDIY Lab" in ran.stdout


@pytest.mark.parametrize("value", ["nonsense", "utf-8:nonsense", "base64", "a\nb"])
def test_an_encoding_that_python_lacks_is_ignored(value: str) -> None:
    """Python itself does not start with such a value."""
    env = dict(os.environ) | {"PYTHONIOENCODING": value, "PYTHONUTF8": "5"}
    ran = subprocess.run([REPO / "lab", "--help"], env=env, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "Usage: ./lab" in ran.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("command", ["--help", "endpoints", "no-such-command-but-long-output"])
def test_output_that_cannot_be_written_is_one_sentence(command: str) -> None:
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [REPO / "lab", command], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert ran.returncode != 0
    assert "Traceback" not in ran.stderr
    if command != "no-such-command-but-long-output":  # click prints a wrong command on stderr
        assert ran.stderr == (
            "The output cannot be written: No space left on device. Free space, or send it elsewhere.\n"
        )


def test_a_closed_pipe_is_silent() -> None:
    ran = subprocess.run(
        f"{REPO / 'lab'} --help | true; {REPO / 'lab'} endpoints | true; {REPO / 'lab'} endpoints >&-",
        shell=True, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.stderr == ""


def test_a_closed_pipe_is_silent_while_packages_are_missing(tmp_path: Path) -> None:
    """Then the part of ./lab speaks that needs Python's standard library alone."""
    env = dict(os.environ) | {"LAB_VENV": str(tmp_path / "venv"), "PIP_INDEX_URL": "http://127.0.0.1:9/"}
    line = f"(sleep 1; {REPO / 'lab'} list; echo $? >&2) | true"
    ran = subprocess.run(["bash", "-c", line], env=env, capture_output=True, text=True, check=False)
    assert ran.stderr == "141\n"


@pytest.mark.parametrize("module", ["lab.errors", "lab.backends.protocol"])
def test_ctrl_c_while_modules_are_imported_shows_no_traceback(module: str) -> None:
    command = [sys.executable, "-P", "-X", "importtime", "-m", "lab", "logs", "-f", "posts"]
    env = dict(os.environ) | {"PYTHONPATH": str(REPO / "platform")}
    ran = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert ran.stderr is not None
    for line in ran.stderr:  # one for each module that has been imported
        if line.endswith(f" {module}\n"):
            break
    ran.send_signal(signal.SIGINT)
    _, rest = ran.communicate(timeout=60)
    assert ran.returncode == -signal.SIGINT
    assert "Traceback" not in rest


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_spoil_no_file(closed: str, tmp_path: Path) -> None:
    """The first file that is opened would get the number of a closed stream, and with it foreign output."""
    report = tmp_path / "report.json"
    env = dict(os.environ) | {"LAB_HOME": str(tmp_path), "LAB_BACKEND": "native"}
    for arguments in (f"report --json {report}", "no-such-command", "check 99"):
        command = f"exec '{sys.executable}' -P -m lab {arguments} {closed}"
        ran = subprocess.run(["sh", "-c", command], env=env | {"PYTHONPATH": str(REPO / "platform")},
                             capture_output=True, text=True, check=False)  # fmt: skip
        assert "Traceback" not in ran.stdout + ran.stderr
        assert "The command failed" not in ran.stdout + ran.stderr
    assert sorted(json.loads(report.read_text())) == [lab.number for lab in exercises()]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.json"]
