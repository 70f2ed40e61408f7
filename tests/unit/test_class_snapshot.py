"""A snapshot holds what is listed and nothing else, whatever the files or a stranger's machine contain."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from class_of_learners import HOSTILE, home, predictions, progress, verdict

from lab.classroom.questions import questions
from lab.classroom.snapshot import (
    LONGEST_MESSAGE,
    MOST_BYTES,
    MOST_FAILURES,
    Guess,
    cleaned,
    name_of,
    of_files,
    of_home,
)
from lab.course.exercise import exercise, exercises
from lab.course.steps import checks_of
from lab.home import REPO, Home
from lab.notebook import copies
from lab.notebook.texts import texts

ROOT = Path("/home/ada/.cache/civildiy-lab")
PASSED = {
    "mine": True,
    "steps": {"1": "pass", "2": "fail"},
    "points": 3,
    "of": 9,
    "when": "2026-11-30 09:00:00",
}


def test_the_questions_are_those_of_the_notebooks() -> None:
    asked = [question for text in texts() for question in copies.questions(text)]
    assert [*questions()] == asked
    assert all(len(question.choices) >= 2 for question in questions().values())


def test_results_of_the_learners_own_code_are_shared(tmp_path: Path) -> None:
    home(tmp_path, 1)
    found = of_home(Home(tmp_path))
    written = json.loads((tmp_path / "progress.json").read_text())
    assert {number: lab.steps for number, lab in found.labs.items()} == {
        n: lab["steps"] for n, lab in written.items()
    }
    assert found.predictions
    assert of_home(Home(tmp_path / "nowhere")).labs == {}


def test_results_of_the_platforms_code_are_not() -> None:
    assert of_files({"01": PASSED | {"mine": False}}, {}, ROOT).labs == {}
    once = of_files({"01": PASSED | {"mine": False, "passed_once": True}}, {}, ROOT).labs["01"]
    assert {*once.steps.values()} == {"pass"}
    assert len(once.steps) == len(exercise("01").steps)


def test_a_failure_has_its_meaning_first() -> None:
    check = checks_of(exercise("01"), 2)[0]
    lines = [["did", "asked"], ["saw", "500"], ["means", "It crashed."], ["next", "Look."]]
    known = PASSED | {"verdicts": [verdict("01", 2, f"{check}[a case]", "fail", lines)]}
    (failure,) = of_files({"01": known}, {}, ROOT).labs["01"].failures
    assert (failure.check, failure.step, failure.message) == (check, 2, "It crashed. 500")


def test_paths_of_the_machine_are_not_sent() -> None:
    check = checks_of(exercise("01"), 2)[0]
    saw = f"{REPO}/labs/01-services/api.py in {ROOT}/stack and {Path.home()}/x"
    known = PASSED | {"verdicts": [verdict("01", 2, check, "fail", [["saw", saw]])]}
    (failure,) = of_files({"01": known}, {}, ROOT).labs["01"].failures
    assert failure.message == "./labs/01-services/api.py in LAB_HOME/stack and ~/x"


def test_unknown_parts_are_dropped_and_long_ones_are_cut() -> None:
    check = checks_of(exercise("01"), 1)[0]
    raw: dict[str, Any] = {
        "secret": "x", "predictions": {"Who won?": {"mine": "a"}, **{q: {"mine": "z"} for q in questions()}},
        "labs": {
            "99": PASSED,
            "01": {
                "steps": {"1": "pass", "2": HOSTILE, "77": "pass"}, "points": -4, "of": True,
                "when": HOSTILE * 9, "files": {"api.py": "def"},
                "failures": [{"check": check, "title": HOSTILE, "message": "x" * 10_000}] * 100
                + [{"check": "test_of_nothing", "title": "t", "message": "m"}],
            },
        },
    }  # fmt: skip
    found = cleaned(raw)
    assert [*found.labs] == ["01"]
    lab = found.labs["01"]
    assert (lab.steps, lab.points, lab.of) == ({"1": "pass"}, 0, 0)
    assert len(lab.failures) == MOST_FAILURES
    assert len(lab.failures[0].message) == LONGEST_MESSAGE
    assert "\x1b" not in lab.failures[0].title
    assert found.predictions == {}
    assert not {"secret", "files"} & {*json.dumps(found.as_dict()).split('"')}


@pytest.mark.parametrize("garbage", [None, 7, "x", [], {}, {"other": 1}, {1: 2}])
def test_garbage_is_no_snapshot(garbage: object) -> None:
    with pytest.raises(ValueError, match="object with `labs`"):
        cleaned(garbage)


WRONG = {"01": {"mine": True, "steps": {"1": ["pass"]}, "verdicts": [0, {"lines": 5}]}}


@pytest.mark.parametrize(
    "garbage", [None, 7, "x", [[]], {"01": 7}, {"01": {"steps": [], "failures": 3}}, WRONG]
)
def test_garbage_inside_is_dropped(garbage: Any) -> None:
    assert cleaned({"labs": garbage, "predictions": garbage}).labs == {}
    assert of_files(garbage, garbage, ROOT).labs == {}


def test_a_snapshot_comes_back_and_a_full_one_fits() -> None:
    chance = random.Random(5)
    found = of_files(progress(chance), predictions(chance), ROOT)
    assert cleaned(json.loads(json.dumps(found.as_dict()))) == found
    every = {lab.number: {
        "steps": {str(step): "fail" for step in range(1, len(lab.steps) + 1)},
        "failures": [{"check": checks_of(lab, 1)[0], "title": "𝄞" * 120, "message": "𝄞" * 300}] * 9,
    } for lab in exercises()}  # fmt: skip
    guesses = {text: Guess("a", True).__dict__ for text in questions()}
    full = cleaned({"labs": every, "predictions": guesses})
    assert cleaned(full.as_dict()) == full
    assert len(json.dumps(full.as_dict(), ensure_ascii=False).encode()) < MOST_BYTES


def test_names() -> None:
    assert name_of("  Ada\n Lovelace ") == "Ada Lovelace"
    assert "\u202e" not in name_of(HOSTILE)
    assert len(name_of("x" * 5000)) == 40
    with pytest.raises(ValueError, match="empty"):
        name_of(" \n ")
