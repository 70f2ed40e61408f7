"""A process runs the learner's files that it is told to run, notices a change, and reports errors."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from civildiy.course_runtime.finder import learner_code, learner_files
from civildiy.course_runtime.incidents import MARK
from lab.backends import overrides
from lab.deadlines import slow
from lab.home import PLATFORM, Home

PROGRAM = """
import os, resource, sys, time
from civildiy.course_runtime.run import prepare
prepare("posts", blocked_ends=False)
try:
    import lesson
    word = lesson.WORD
except ImportError:
    word = "platform"
print(word, os.environ.get("LEAK"), resource.getrlimit(resource.RLIMIT_FSIZE)[0], flush=True)
time.sleep(60)
"""
NO_LIMIT = str(resource.getrlimit(resource.RLIMIT_FSIZE)[1])


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Home:
    """Provide a home whose overrides are what the processes are told."""
    monkeypatch.setenv("LAB_OVERRIDES", str(tmp_path / "overrides"))
    return Home(tmp_path)


def test_by_variable() -> None:
    code = learner_code("posts", {"LAB_CODE": "a.b=01-x/b.py,c=02-y/c.py"})
    assert learner_files(code, {"LAB_CODE_FOLDER": "/labs"}) == {
        "a.b": Path("/labs/01-x/b.py"),
        "c": Path("/labs/02-y/c.py"),
    }
    assert learner_files(learner_code("posts", {})) == {}


def test_by_the_units_file(told: Home) -> None:
    environment = {"LAB_CODE_SETTINGS": str(overrides.folder(told)), "LAB_CODE": "stale=x.py"}
    assert learner_code("posts", environment) == ""
    overrides.write(told, "posts", {"CRASH_POINTS": "", "LAB_CODE": "a=it's here.py"})
    assert learner_code("posts", environment) == "a=it's here.py"
    assert learner_code("feed", environment) == ""


@pytest.fixture
def process(told: Home, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    environment = {
        "PATH": "/usr/bin", "PYTHONPATH": str(PLATFORM), "LAB_CODE_FOLDER": str(tmp_path),
        "LAB_CODE_SETTINGS": str(overrides.folder(told)), "LAB_CODE_REPORTS": str(tmp_path),
    }  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-P", "-c", PROGRAM], env=environment, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as started:  # fmt: skip
        yield started
        started.kill()


def test_a_running_process_follows(told: Home, tmp_path: Path, process: subprocess.Popen[str]) -> None:
    assert process.stdout
    assert process.stdout.readline().split() == ["platform", "None", NO_LIMIT]
    (tmp_path / "lesson.py").write_text("import os\nWORD = 'mine'\nos.environ['LEAK'] = 'yes'\n")
    overrides.write(told, "posts", {"LAB_CODE": "lesson=lesson.py"})
    word, leak, limit = process.stdout.readline().split()
    assert (word, leak) == ("mine", "yes")
    assert limit != NO_LIMIT
    overrides.write(told, "posts", {})
    # Nothing that the learner's code did to its process is left.
    assert process.stdout.readline().split() == ["platform", "None", NO_LIMIT]
    files = [list(entry["files"]) for entry in said(tmp_path / "posts.log", 3)]
    assert files == [[], ["lesson"], []]


def said(report: Path, count: int) -> list[dict[str, dict[str, str]]]:
    """Return the first `count` entries of a report, once they are there."""
    deadline = time.monotonic() + 10 * slow()
    while True:
        lines = [line for line in report.read_text().splitlines() if line.startswith(MARK)]
        if len(lines) >= count:
            return [json.loads(line.removeprefix(MARK)) for line in lines]
        assert time.monotonic() < deadline, lines
        time.sleep(0.05)
