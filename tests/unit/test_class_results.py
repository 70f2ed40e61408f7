"""Points, totals, who is stuck, and the files with the results of a class."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.classroom import course_file, exports, scores
from lab.classroom.class_check import times
from lab.classroom.job import Result
from lab.classroom.judge import Clock, Task
from lab.classroom.judged import Judged, from_result, not_begun
from lab.classroom.page import page
from lab.classroom.submission import Refused, Submission, below_labs

COURSE = replace(course_file.read(None), labs=course_file.read(None).labs[:2])
LAB = COURSE.labs[0]
LISTED: list[dict[str, Any]] = [
    {"check": f"test_{step}{n}", "title": f"check {n} of {step}", "lab": "01", "step": step, "points": 2}
    for step in range(1, 6) for n in (1, 2)
]  # fmt: skip


def person(name: str = "Ada", id: str = "a", **facts: Any) -> Submission:
    return Submission(id, f"{id}.zip", name, "2026-11-30T04:00:00Z", "", {}, **facts)


def verdict(check: dict[str, Any], outcome: str) -> dict[str, Any]:
    return {**check, "outcome": outcome, "seconds": 0.1, "lines": [["saw", "<b>no</b>"]]}


def judged(outcomes: dict[int, str], id: str = "a") -> Judged:
    found = [verdict(check, outcomes[check["step"]]) for check in LISTED]
    return from_result(id, LAB, LISTED, Result(verdicts=found, seconds={"check": 3.0}), 10)


def test_a_lab_gets_the_points_of_the_checks_that_pass() -> None:
    found = judged({1: "pass", 2: "pass", 3: "fail", 4: "not attempted", 5: "not attempted"})
    assert (found.outcome, found.steps["2"], found.steps["3"]) == ("fail", "pass", "fail")
    assert scores.score(LAB, found) == scores.Score(8, 20)


def test_the_course_file_scales_points_and_weighs_labs(tmp_path: Path) -> None:
    file = tmp_path / "course.toml"
    file.write_text("[labs.01]\nsteps = {1 = 4, 3 = 6}\nweight = 1\n[labs.02]\npoints = 5\nweight = 3\n")
    course = course_file.read(file)
    half = from_result(
        "a", course.labs[0], LISTED,
        Result(verdicts=[verdict(LISTED[0], "pass"), verdict(LISTED[1], "fail"), verdict(LISTED[4], "pass"),
                         verdict(LISTED[5], "pass")]), 10,
    )  # fmt: skip
    assert scores.score(course.labs[0], half) == scores.Score(8, 10)
    assert [*half.steps] == ["1", "3"]
    (row,) = scores.rows(course, [person()], [half])
    assert row.percent(course) == pytest.approx(80)


def test_checks_without_a_verdict_fail_beyond_a_limit_and_are_not_gradable_otherwise() -> None:
    some = [verdict(LISTED[0], "pass")]
    late = from_result("a", LAB, LISTED, Result(verdicts=some, timed_out=True), 10)
    assert (late.outcome, [v["outcome"] for v in late.verdicts].count("fail")) == ("fail", 9)
    assert "after 10 minutes" in late.verdicts[1]["lines"][0][1]
    large = from_result("a", LAB, LISTED, Result(trouble="3,000 MB are too few.", too_large=True), 10)
    assert (large.outcome, large.verdicts[0]["lines"]) == (
        "fail",
        [["saw", "Nothing: 3,000 MB are too few."]],
    )
    odd = from_result("a", LAB, LISTED, Result(verdicts=some, trouble="Kafka died."), 10)
    assert (odd.outcome, odd.trouble) == ("not gradable", "Kafka died.")
    assert len(odd.verdicts) == 10


def test_who_is_stuck_at_which_step() -> None:
    states = {1: "pass", 2: "fail", 3: "pass", 4: "not attempted", 5: "not attempted"}
    people = scores.rows(
        COURSE, [person(), person("Bob", "b"), person("Cid", "c")],
        [judged(states), judged(dict.fromkeys(range(1, 6), "pass"), "b"), not_begun("c", LAB, LISTED, "no")],
    )  # fmt: skip
    assert scores.stuck(COURSE, people) == {("01", 2): ["Ada"]}


def test_two_people_with_the_same_name_have_two_rows_that_differ() -> None:
    found = scores.rows(COURSE, [person(), person(id="b")], [judged(dict.fromkeys(range(1, 6), "pass"), "b")])
    assert [row.shown for row in found] == ["Ada (a.zip)", "Ada (b.zip)"]
    assert [row.points for row in found] == [0, 20]


def test_page_shows_every_person_and_runs_no_text_of_theirs() -> None:
    evil = person("<script>alert(1)</script>", remarks=("<i>late</i>",))
    states = {1: "pass", 2: "fail", 3: "pass", 4: "pass", 5: "not gradable"}
    refused = [Refused("z", "<img src=x>.zip", "", "It is <b>empty</b>.")]
    shown = page(COURSE, scores.rows(COURSE, [evil], [judged(states)]), refused, "Done.")
    assert "<script" not in shown
    assert "<img" not in shown
    assert "<b>" not in shown
    assert "&lt;script&gt;" in shown
    assert "Who is stuck at which step" in shown
    assert "not judged yet" in shown  # lab 02


def test_tables_have_the_columns_that_gradebooks_expect(tmp_path: Path) -> None:
    people = scores.rows(COURSE, [person('=HYPERLINK("x")')], [judged(dict.fromkeys(range(1, 6), "pass"))])
    files = exports.write_all(tmp_path, COURSE, people, [Refused("z", "z.zip", "", "It is empty.")], "Done.")
    assert {file.name for file in files} == {
        "results.html", "results.json", "results.csv", "nbgrader.csv", "canvas.csv", "moodle.csv"
    }  # fmt: skip
    canvas = read(tmp_path / "canvas.csv")
    assert canvas[0][:5] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    assert canvas[1][:6] == ["Points Possible", "", "", "", "", "20"]
    assert canvas[2][0].startswith("'=")
    nbgrader = read(tmp_path / "nbgrader.csv")
    assert nbgrader[1][nbgrader[0].index("score")] == nbgrader[1][nbgrader[0].index("max_score")] == "20"
    assert read(tmp_path / "moodle.csv")[0][3].endswith(" (of 20)")
    data = json.loads((tmp_path / "results.json").read_text())
    assert data["people"][0]["labs"]["01"]["steps"]["1"] == "pass"
    assert data["refused"][0]["why"] == "It is empty."


def test_gradebooks_get_the_ids_of_the_course_file(tmp_path: Path) -> None:
    file = tmp_path / "course.toml"
    file.write_text('[labs.01]\n[people]\nAda = { id = "s1", email = "a@b.org", login = "ada" }\n')
    course = course_file.read(file)
    rows = scores.rows(course, [person()], [judged(dict.fromkeys(range(1, 6), "pass"))])
    exports.write_all(tmp_path, course, rows, [], "")
    assert read(tmp_path / "canvas.csv")[2][:4] == ["Ada", "", "s1", "ada"]
    assert read(tmp_path / "moodle.csv")[1][:3] == ["s1", "a@b.org", "Ada"]
    assert read(tmp_path / "nbgrader.csv")[1][3:7] == ["s1", "Ada", "", "a@b.org"]


def read(file: Path) -> list[list[str]]:
    return [*csv.reader(io.StringIO(file.read_text()))]


def test_an_outcome_is_kept_and_a_damaged_one_is_judged_again(tmp_path: Path) -> None:
    found = judged(dict.fromkeys(range(1, 6), "pass"))
    found.write(tmp_path / "x.json")
    assert Judged.read(tmp_path / "x.json") == found
    (tmp_path / "x.json").write_text('{"submission": 1')
    assert Judged.read(tmp_path / "x.json") is None


def test_the_time_of_a_class_follows_from_what_was_measured() -> None:
    passed = judged(dict.fromkeys(range(1, 6), "pass"))
    other = replace(passed, lab="02", seconds={"up": 60.0})
    first, second = times([passed, other, not_begun("c", LAB, LISTED, "no")])
    assert first.endswith("lab 01 3 s, lab 02 60 s.")
    assert second == "30 people with code for all of these: 32 min."
    assert times([not_begun("c", LAB, LISTED, "no")]) == []


def test_the_time_left_is_estimated_by_lab() -> None:
    files = {below_labs(lab.exercise.pieces[0]): b"x = 1" for lab in COURSE.labs}
    ada = replace(person(), files=files)
    first, second = (Task(ada, lab) for lab in COURSE.labs)
    without_code = Task(person(), COURSE.labs[0])
    clock = Clock([first, second, without_code, first])
    assert clock.left() is None
    clock.done(first, 10)
    assert clock.left() == pytest.approx(20)
    clock.done(second, 30)
    clock.done(without_code, 99)
    assert clock.left() == pytest.approx(10)
