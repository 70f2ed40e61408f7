"""The course file: what it may contain, and the message for each mistake."""

from pathlib import Path

import pytest

from lab.classroom import course_file
from lab.errors import LabError


def read(tmp_path: Path, text: str) -> course_file.Course:
    file = tmp_path / "course.toml"
    file.write_text(text, encoding="utf-8")
    return course_file.read(file)


def test_course_toml_beside_lab_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course_file, "DEFAULT", tmp_path / "course.toml")
    assert len(course_file.read(None).labs) == 8
    (tmp_path / "course.toml").write_text("[labs.03]")
    assert [lab.number for lab in course_file.read(None).labs] == ["03"]


def test_without_a_file_all_labs_and_steps_belong_to_the_class() -> None:
    course = course_file.read(None)
    assert [lab.number for lab in course.labs] == ["01", "02", "03", "04", "05", "06", "07", "08"]
    assert all(len(lab.steps) == len(lab.exercise.steps) for lab in course.labs)


def test_a_file_chooses_labs_steps_points_and_limits(tmp_path: Path) -> None:
    course = read(
        tmp_path,
        'name = "Spring"\n[labs.04]\nsteps = { 1 = 4, 3 = 6 }\n'
        "[labs.01]\nsteps = [2, 1]\npoints = 10\nweight = 2\n[limits]\nminutes = 0.5\nprocesses = 64\n",
    )
    first, second = course.labs
    assert (course.name, first.number, first.steps, first.points, first.weight) == (
        "Spring", "01", (1, 2), 10, 2,
    )  # fmt: skip
    assert (second.number, second.steps, second.step_points) == ("04", (1, 3), {1: 4, 3: 6})
    assert (course.limits.minutes, course.limits.processes) == (0.5, 64)
    assert course.lab("02") is None


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("name = 3", "name"), ("labs = 3", "labs"), ("grade = 1", "grade"), ("[labs.99]", "labs.99"),
        ("[labs.09]", "labs.09.*option observability"), ("[labs.01]\nsteps = []", "labs.01.steps"),
        ("[labs.01]\nsteps = [9]", "labs.01.steps"),
        ("[labs.01]\nsteps = [true]", "labs.01.steps"), ("[labs.01]\nsteps = {one = 1}", "labs.01.steps"),
        ("[labs.01]\npoints = -1", "labs.01.points"), ("[labs.01]\nweight = 'x'", "labs.01.weight"),
        ("[labs.01]\npoints = nan", "labs.01.points"), ("[labs.01]\npoint = 1", "point"),
        ("[labs.01]\nsteps = {1 = 2}\npoints = 3", "labs.01.points"), ("[labs.01]\n[labs.1]", "labs.01"),
        ("[limits]\nminutes = 0", "limits.minutes"), ("[limits]\nprocesses = 1.5", "limits.processes"),
        ("people = 1", "people"), ("[people]\nAda = 1", "people.Ada"), ("[people]\nAda = {age = '9'}", "age"),
        ("[limits]\ncores = 1", "cores"), ("limits = 1", "limits"), ("no toml", "TOML"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, where: str) -> None:
    with pytest.raises(LabError, match=where):
        read(tmp_path, text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"nowhere\.toml cannot be read"):
        course_file.read(tmp_path / "nowhere.toml")


def test_people_are_found_by_name_in_any_case(tmp_path: Path) -> None:
    course = read(tmp_path, '[people]\n"Ada Lovelace" = { id = "s1815" }')
    assert course.person(" ada LOVELACE ").id == "s1815"
    assert course.person("Bob") == course_file.Person()


def test_people_are_found_however_an_accent_is_encoded(tmp_path: Path) -> None:
    """macOS and Linux keyboards differ in that; a gradebook must not lose anybody by it."""
    course = read(tmp_path, '\ufeff[people]\n"Jos\u00e9 Garc\u00eda" = { id = "s1" }')
    assert course.person("Jose\u0301  GARCI\u0301A").id == "s1"
    with pytest.raises(LabError, match="each person once"):
        read(tmp_path, '[people]\n"Jos\u00e9" = {}\n"JOSE\u0301" = {}')


def test_people_without_an_archive_and_strangers_are_named(tmp_path: Path) -> None:
    course = read(tmp_path, '[people]\n"Ada Lovelace" = {}\nBob = {}\n')
    assert course.unmatched(["ada lovelace ", "Carol"]) == [
        "not in [people] of the course file: Carol",
        "no archive from: Bob",
    ]
    assert read(tmp_path, "").unmatched(["Carol"]) == []


def test_labs_are_chosen_by_number(tmp_path: Path) -> None:
    course = read(tmp_path, "[labs.01]\n[labs.04]")
    assert course_file.chosen(course, "") == ("01", "04")
    assert course_file.chosen(course, " 4") == ("04",)
    with pytest.raises(LabError, match="does not belong"):
        course_file.chosen(course, "02")
    with pytest.raises(LabError, match="no lab 77"):
        course_file.chosen(course, "77")
