"""Whatever is in place of the learner's file, the process reports it and waits for the next save."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from civildiy.course_runtime.incidents import MARK
from lab.deadlines import slow
from lab.home import PLATFORM

PROGRAM = """
import importlib, os, sys, time
from civildiy.course_runtime.run import prepare, reported
prepare("posts", blocked_ends=False)
with reported():
    lesson = importlib.import_module("lesson")
    from lesson import WORD
    print(WORD, lesson.word(1), flush=True)
    time.sleep(60)
"""
GOOD = b"WORD = 'good'\ndef word(n):\n    return n\n"
CASES: dict[str, tuple[Callable[[Path], object], str]] = {
    "bytes": (lambda file: file.write_bytes(b"\xff\xfe = 1\n"), "SyntaxError"),
    "nul": (lambda file: file.write_bytes(b"a = 1\x00\n"), "null bytes"),
    "deep": (lambda file: file.write_bytes(b"x = " + b"-" * 100_000 + b"1\n"), "SyntaxError"),
    "folder": (lambda file: file.mkdir(), "directory"),
    "not-there": (lambda file: file.unlink(missing_ok=True), "No such file"),
    "loose-link": (lambda file: file.symlink_to("nowhere"), "No such file"),
    "loop-of-links": (lambda file: file.symlink_to(file), "symbolic links"),
    "name-gone": (lambda file: file.write_bytes(b"def word(n):\n    return n\n"), "name 'WORD' from"),
    "other-arguments": (lambda file: file.write_bytes(b"WORD = 1\ndef word():\n    pass\n"), "takes 0"),
    "function-gone": (lambda file: file.write_bytes(b"WORD = 1\n"), "no attribute 'word'"),
    "removes-itself": (
        lambda file: file.write_bytes(b"import os\nos.unlink(__file__)\nraise OSError('mine')\n"), "mine",
    ),
    "closes-its-output": (lambda file: file.write_bytes(b"import os\nos.close(2)\n1 / 0\n"), "ZeroDivision"),
    "replaces-what-we-use": (
        lambda file: file.write_bytes(
            b"import json, os, time\njson.dumps = time.sleep = time.time = time.monotonic = None\n"
            b"os.execve = os.write = os.environ = None\n1 / 0\n"
        ),
        "ZeroDivision",
    ),
}  # fmt: skip
FINE: dict[str, Callable[[Path], object]] = {
    "mark": lambda file: file.write_bytes(b"\xef\xbb\xbf" + GOOD),
    "windows": lambda file: file.write_bytes(GOOD.replace(b"\n", b"\r\n")),
    "link": lambda file: linked(file),
}


def linked(file: Path) -> None:
    file.with_name("real.py").write_bytes(GOOD)
    file.symlink_to("real.py")


def begun(folder: Path) -> subprocess.Popen[str]:
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(PLATFORM), "LAB_CODE_FOLDER": str(folder),
        "LAB_CODE": "lesson=lab/lesson.py", "LAB_CODE_REPORTS": str(folder),
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-P", "-c", PROGRAM], env=environment, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip


def waiting(folder: Path) -> list[dict[str, Any]]:
    """Return what the process printed until it began to wait."""
    deadline = time.monotonic() + 20 * slow()
    while True:
        report = folder / "posts.log"
        lines = report.read_text().splitlines() if report.exists() else []
        said = [json.loads(line.removeprefix(MARK)) for line in lines if line.startswith(MARK)]
        if said and said[-1]["kind"] == "waiting":
            return said
        assert time.monotonic() < deadline, lines
        time.sleep(0.05)


@pytest.mark.parametrize("case", CASES)
def test_the_file_is_named_and_a_save_mends_it(case: str, tmp_path: Path) -> None:
    file = tmp_path / "lab" / "lesson.py"
    file.parent.mkdir()
    put, text = CASES[case]
    put(file)
    with begun(tmp_path) as process:
        try:
            raised = [said for said in waiting(tmp_path) if said["kind"] == "raised"]
            assert [said["file"] for said in raised] == ["lab/lesson.py"]
            assert text in raised[0]["text"], raised
            if file.is_dir():
                file.rmdir()
            file.unlink(missing_ok=True)
            file.write_bytes(GOOD)
            assert process.stdout
            assert process.stdout.readline().split() == ["good", "1"]
        finally:
            process.kill()


def test_the_line_of_a_nul_is_said(tmp_path: Path) -> None:
    """Python 3.11 says of such a file only that there is one."""
    file = tmp_path / "lab" / "lesson.py"
    file.parent.mkdir()
    file.write_bytes(GOOD + b"a = 1\x00\n")
    with begun(tmp_path) as process:
        try:
            assert waiting(tmp_path)[-2]["line"] == GOOD.count(b"\n") + 1
        finally:
            process.kill()


@pytest.mark.parametrize("case", FINE)
def test_a_file_that_is_fine(case: str, tmp_path: Path) -> None:
    file = tmp_path / "lab" / "lesson.py"
    file.parent.mkdir()
    FINE[case](file)
    with begun(tmp_path) as process:
        try:
            assert process.stdout
            assert process.stdout.readline().split() == ["good", "1"]
        finally:
            process.kill()


def test_what_was_forked_ends_with_its_process(tmp_path: Path) -> None:
    """A child that lives on would keep the port, and nothing could begin there again."""
    file = tmp_path / "lab" / "lesson.py"
    file.parent.mkdir()
    child = "if os.fork() == 0:\n    print(os.getpid(), flush=True)\n    time.sleep(60)\n"
    file.write_text(f"import os, time\n{child * 3}time.sleep(60)\n")
    with begun(tmp_path) as process:
        try:
            assert process.stdout
            children = [int(process.stdout.readline()) for _ in range(3)]
            file.write_bytes(GOOD)
            assert process.stdout.readline().split() == ["good", "1"]
            deadline = time.monotonic() + 5 * slow()
            while alive := [pid for pid in children if runs(pid)]:
                assert time.monotonic() < deadline, alive
                time.sleep(0.05)
        finally:
            process.kill()


def runs(pid: int) -> bool:
    """Return whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
