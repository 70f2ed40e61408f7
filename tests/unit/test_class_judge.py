"""A run over a folder of submissions, without a system: what is kept, refused and known again."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from lab.classroom import cells, cgroups, course_file, graders
from lab.classroom.class_check import ClassCheck
from lab.classroom.job import Result
from lab.classroom.judge import Judge, Task
from lab.classroom.judged import Listed
from lab.classroom.submission import Submission
from lab.course.exercise import CHECKS
from lab.errors import LabError
from lab.home import Home
from lab.terminal import Console

WHOLE = course_file.read(None)
COURSE = replace(WHOLE, labs=WHOLE.labs[:1])
ADA = Submission("a", "a.zip", "Ada", "2026-11-30T04:00:00Z", "", {"02-discovery/registry.py": b"x = 1"})


@pytest.fixture(scope="module")
def listed() -> Listed:
    return graders.listed()


@pytest.fixture
def judging(tmp_path: Path, listed: Listed) -> Judge:
    found = Judge(Home(tmp_path / "home"), COURSE, tmp_path / "out", tmp_path, 7)
    found.checks = listed
    return found


def test_a_lab_without_code_needs_no_system_and_is_known_again(judging: Judge, tmp_path: Path) -> None:
    (task,) = judging.tasks([ADA])
    assert judging.known(task) is None
    found = judging.judge(task)
    assert found.outcome == "not attempted"
    assert sum(verdict["points"] for verdict in found.verdicts) > 40
    assert judging.known(task) == found
    other_seed = Judge(Home(tmp_path / "home"), COURSE, tmp_path / "out", tmp_path, 8)
    assert other_seed.known(task) is None
    changed = Task(replace(ADA, files={"01-services/api.py": b"y = 2"}), task.lab)
    assert judging.known(changed) is None


def test_altered_graders_end_the_run_and_the_outcome_is_not_kept(judging: Judge) -> None:
    (task,) = judging.tasks([ADA])
    file = CHECKS / "grading" / f"altered_{os.getpid()}.py"
    try:
        file.write_text("# something that was not here at the beginning\n")
        with pytest.raises(LabError, match="changed while lab 01"):
            judging.judge(task)
    finally:
        file.unlink()
    assert judging.known(task) is None


def test_an_earlier_run_is_not_replaced_by_mistake(tmp_path: Path) -> None:
    (tmp_path / "essay.txt").write_text("no archive")
    run = ClassCheck(Home(tmp_path / "home"), Console(), COURSE, ("01",), tmp_path, tmp_path / "results")
    assert run.run(resume=False, seed=3) == 1  # refused, so nothing is judged
    assert "not a ZIP archive" in (tmp_path / "results" / "results.html").read_text()
    with pytest.raises(LabError, match="--resume"):
        run.run(resume=False, seed=None)
    assert run.run(resume=True, seed=None) == 1


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    run = ClassCheck(Home(tmp_path / "home"), Console(), COURSE, ("01",), tmp_path, tmp_path / "results")
    with pytest.raises(LabError, match="contains no archive"):
        run.run(resume=False, seed=None)


def test_two_runs_in_one_home_wait_for_no_other(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with cells.one_at_a_time(home), pytest.raises(LabError, match="Another"), cells.one_at_a_time(home):
        pass


@pytest.mark.parametrize(
    ("load", "first", "tries"), [(1, "fail", 1), (99, "fail", 2), (99, "pass", 1), (1, "not gradable", 2)]
)
def test_a_lab_is_judged_again_where_a_busy_machine_may_be_the_cause(
    judging: Judge, monkeypatch: pytest.MonkeyPatch, load: float, first: str, tries: int
) -> None:
    outcomes = [first, "pass"]

    def run(*_: object) -> Result:
        outcome = outcomes.pop(0)
        lab = [check for check in judging.checks if check["lab"] == "01"]
        verdicts = [{**check, "outcome": outcome, "seconds": 0.1, "lines": []} for check in lab]
        return Result(verdicts=verdicts, seconds={"check": 1.0})

    monkeypatch.setattr(cells, "run", run)
    monkeypatch.setattr(os, "getloadavg", lambda: (load * (os.cpu_count() or 1), 0, 0))
    (task,) = judging.tasks([replace(ADA, files={"01-services/api.py": b"y = 2"})])
    found = judging.judge(task)
    assert found.attempts == tries
    assert found.outcome == ("fail" if (load, first) == (1, "fail") else "pass")


def test_a_resumed_run_judges_again_what_was_not_gradable(judging: Judge, tmp_path: Path) -> None:
    (task,) = judging.tasks([ADA])
    judging.judge(task)
    file = tmp_path / "out" / "judged" / task.file
    assert judging.known(task) is not None
    file.write_text(file.read_text().replace('"outcome": "not attempted"', '"outcome": "not gradable"', 1))
    assert judging.known(task) is None


@pytest.mark.skipif(not cgroups.delegated(), reason="this user may not create control groups here")
def test_a_control_group_has_its_limits_and_is_removed() -> None:
    groups = cgroups.create(f"civildiy-lab-test-{os.getpid()}", 10**9, 100)
    try:
        limits = {
            file.name: int(file.read_text())
            for group in groups
            for file in group.iterdir()
            if file.name in ("pids.max", "memory.max", "memory.limit_in_bytes")
        }
        assert limits.pop("pids.max") == 100 + cgroups.OTHER_PROCESSES
        assert 0.99e9 < limits.popitem()[1] <= 1e9
        assert cgroups.remaining(groups) == 0
    finally:
        assert cgroups.remove(groups)
    assert not any(group.exists() for group in groups)
