"""The launcher shows which labs are passed, which are in progress, and which comes next."""

import json
from pathlib import Path
from typing import Any

import pytest

from lab.commands.notebook import hidden
from lab.course import running
from lab.course.exercise import exercise, exercises
from lab.course.overview import Standing, overview
from lab.course.record import Record
from lab.home import REPO, Home
from lab.jupyter import server

PASSED = {"outcome": "pass", "mine": True, "passed_once": True,
          "steps": dict.fromkeys("12345", "pass")}  # fmt: skip
BEGUN = {"outcome": "fail", "mine": True, "steps": {"1": "pass", "2": "fail", "3": "not attempted"}}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    found = Home(tmp_path)
    monkeypatch.setattr(server, "home", found)
    monkeypatch.setattr(server, "REPO", tmp_path)
    (tmp_path / "notebooks").mkdir()
    return found


def standings(home: Home) -> dict[str, str]:
    return {place.lab.number: str(place) for place in overview(home) if str(place)}


def test_at_first_only_the_first_lab_is_next(home: Home) -> None:
    assert standings(home) == {"01": "next"}


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (PASSED, "passed"),
        (PASSED | {"outcome": "fail"}, "passed"),  # changed afterwards
        (BEGUN, "in progress: 1 of 5 steps"),
        ({"hints": {"1": 1}}, "in progress: 0 of 5 steps"),
    ],
)
def test_a_lab_that_was_begun_is_not_next(home: Home, facts: dict[str, Any], said: str) -> None:
    Record(home).note("01", **facts)
    assert standings(home) == {"01": said, "02": "next"}


@pytest.mark.parametrize(
    "facts",
    [
        {"hints": {}},  # what ./lab reset leaves
        BEGUN | {"mine": False},  # the platform's own code was judged
        {"outcome": "not attempted", "mine": True, "steps": {"1": "not attempted"}},
    ],
)
def test_what_is_no_work_of_the_learner_begins_nothing(home: Home, facts: dict[str, Any]) -> None:
    Record(home).note("01", **facts)
    assert standings(home) == {"01": "next"}


def test_a_lab_that_is_started_is_in_progress(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    Record(home).note("01", **PASSED)
    monkeypatch.setattr(running, "is_active", lambda home, lab: lab == exercise("03"))
    assert standings(home) == {"01": "passed", "02": "next", "03": "in progress: 0 of 4 steps"}


def test_after_the_last_lab_none_is_next(home: Home) -> None:
    for lab in exercises():
        Record(home).note(lab.number, **PASSED)
    assert {place.standing for place in overview(home)} == {Standing.PASSED}


def test_the_launcher_begins_with_the_tour(home: Home) -> None:
    def lines() -> list[str]:
        return [notebook["line"] for notebook in server.course()["notebooks"]]

    assert lines() == ["start here", *[""] * len(exercises())]
    tour = home.root / server.course()["notebooks"][0]["path"]
    tour.write_text(json.dumps({"cells": [{"execution_count": None}]}))
    assert lines()[:2] == ["start here", ""]
    tour.write_text("[")
    assert lines()[:2] == ["start here", ""]
    tour.write_text(json.dumps({"cells": [{"execution_count": 1}]}))
    assert lines()[:2] == ["", "next"]
    tour.unlink()
    Record(home).note("01", **BEGUN)
    assert lines()[:3] == ["", "in progress: 1 of 5 steps", "next"]


def test_the_list_of_files_shows_the_course_only() -> None:
    names = {path.name for path in REPO.iterdir() if not path.name.startswith(".")} - {*hidden()}
    assert names == {"README.md", "docs", "labs", "notebooks"}
    assert {"exercise.toml", "instructor.md", "reference", "text"} <= {*hidden()}  # they hold answers
    beside = {path.name for path in REPO.glob("labs/*/*")} - {*hidden(), "verdicts.json"}
    assert "README.md" in beside
    assert {Path(name).suffix for name in beside} <= {".md", ".py", ""}
