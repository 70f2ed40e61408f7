"""./lab class check on thirty generated submissions: all are judged or refused, and nothing is harmed."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from class_submissions import Expected, archive, generate, right
from hostile_code import HARMLESS, USELESS

from lab import environment
from lab.classroom import graders
from lab.classroom.job import CONFINED_USER
from lab.course.exercise import exercise
from lab.deadlines import slow
from lab.home import REPO, Home

pytestmark = pytest.mark.campaign
COURSE = f"""
name = "Thirty"
[limits]
minutes = {4 * slow()}
"""


@dataclass
class Run:
    """A run over all submissions: what was expected, and its results."""

    folder: Path
    expected: list[Expected]
    code: int
    said: str
    graders: tuple[str, str]

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "results" / "results.json").read_text())
        return found

    def person(self, file: str) -> dict[str, Any]:
        return next(one for one in self.data["people"] if one["file"] == file)


def lab(*words: str) -> subprocess.CompletedProcess[str]:
    """Run ./lab; its home is that of the tests."""
    command = [sys.executable, "-P", "-m", "lab", *words]
    env = environment.own() | {"PYTHONPATH": str(REPO / "platform")}
    return subprocess.run(command, cwd=REPO, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Judge all submissions once. LAB_JUDGED names a folder in which an earlier run has judged them."""
    kept = os.environ.get("LAB_JUDGED", "")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("class")
    folder.mkdir(exist_ok=True)
    expected = generate(folder, tmp_path_factory.mktemp("work"))
    (tmp_path_factory.getbasetemp() / "course.toml").write_text(COURSE)
    before = graders.fingerprint()
    course = str(tmp_path_factory.getbasetemp() / "course.toml")
    done = lab("class", "check", str(folder), "--course", course, "--seed", "1", "--resume")
    # Beside the archives, a later run with LAB_JUDGED would refuse it as one.
    (folder / "results" / "said.txt").write_text(done.stdout + done.stderr)
    return Run(folder, expected, done.returncode, done.stdout + done.stderr, (before, graders.fingerprint()))


def test_thirty_files_are_judged_or_refused_with_a_reason(run: Run) -> None:
    assert len(run.expected) == 30
    assert run.code == 1, run.said  # some files were refused
    assert len(run.data["people"]) + len(run.data["refused"]) == 30
    refused = {one["file"]: one["why"] for one in run.data["refused"]}
    for one in run.expected:
        if one.refused:
            assert one.refused in refused[one.file]
        else:
            judged = run.person(one.file)["labs"]
            assert len(judged) == 8
            begun = {number for number, found in judged.items() if found["outcome"] != "not attempted"}
            assert begun <= {one.lab}


def test_right_submissions_pass_as_when_checked_alone(run: Run) -> None:
    for one in run.expected:
        if one.outcome == "pass" and not one.refused:
            found = run.person(one.file)["labs"][one.lab]
            wrong = [v for v in found["verdicts"] if v["outcome"] != "pass"]
            assert (found["outcome"], wrong) == ("pass", []), one.file
            assert found["points"] == found["of"] > 0


def test_wrong_and_unfinished_submissions_get_the_known_verdict(run: Run) -> None:
    for one in run.expected:
        found = run.person(one.file)["labs"][one.lab] if one.lab else {}
        if one.failed:
            assert one.failed in [v["check"].partition("[")[0] for v in failed(found)], one.file
        for step, outcome in one.steps:
            assert found["steps"][step] == outcome
            assert found["outcome"] == one.outcome


def failed(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [verdict for verdict in found["verdicts"] if verdict["outcome"] == "fail"]


def test_hostile_submissions_get_nothing(run: Run) -> None:
    for one in run.expected:
        if one.name.startswith("Hostile"):
            found = run.person(one.file)["labs"]["01"]
            assert "STOLEN" not in json.dumps(found), one.file
            # What a submission uses up counts against it: judging it again would change nothing.
            assert found["outcome"] in ("pass", "fail"), one.file
            kind = one.name.removeprefix("Hostile: ")
            if kind in HARMLESS:
                assert found["outcome"] == "pass", one.file
            if kind in USELESS:
                assert found["outcome"] == "fail", one.file


def test_two_with_the_same_name_are_both_kept(run: Run) -> None:
    assert [one["name"] for one in run.data["people"]].count("Ada Lovelace") == 2
    assert "Ada Lovelace (right-01.zip)" in (run.folder / "results" / "results.html").read_text()
    with (run.folder / "results" / "results.csv").open(newline="") as table:
        assert len([*csv.reader(table)]) == 1 + 25


def test_nothing_is_left_on_the_machine(run: Run) -> None:
    assert run.graders[0] == run.graders[1]
    assert subprocess.run(["git", "diff", "--quiet"], cwd=REPO, check=False).returncode == 0
    home = Home.from_environment()
    assert not [*(home.root / "class").glob("cell-*")]
    assert [p for p in users() if p == CONFINED_USER] == []
    assert str(home.root / "class") not in Path("/proc/self/mounts").read_text()


def users() -> Iterator[int]:
    for process in psutil.process_iter(["uids"]):
        if uids := process.info["uids"]:
            yield uids.real


def test_afterwards_the_reference_is_whole_and_passes(run: Run, tmp_path: Path) -> None:
    # Before it judges, the cell verifies the units, and that posts, topic and feed agree (./lab verify).
    archive(tmp_path / "right.zip", "Right", right(exercise("01")))
    done = lab("class", "check", str(tmp_path), "--labs", "01", "--seed", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "lab 01: PASS" in done.stdout


def test_a_run_that_is_resumed_judges_nothing_twice(run: Run) -> None:
    course = str(run.folder.parent / "again.toml")
    Path(course).write_text(COURSE)
    done = lab("class", "check", str(run.folder), "--course", course, "--resume")
    assert "are known from the earlier run" in done.stdout
    assert "points," not in done.stdout
