"""Which steps of a lab are still as the starter left them, and what each check needs."""

from pathlib import Path

import pytest
from contents import listed

from lab.course.exercise import Exercise, exercise, exercises
from lab.course.starter import starter
from lab.course.steps import needed, units_of, unwritten


def put(lab: Exercise, folder: Path) -> dict[str, Path]:
    """The lab's starters in a folder."""
    files = {piece.module: folder / piece.file.name for piece in lab.pieces}
    for piece in lab.pieces:
        files[piece.module].write_text(starter(lab, piece), encoding="utf-8")
    return files


@pytest.mark.parametrize("lab", exercises(), ids=lambda lab: lab.number)
def test_nothing_is_written_in_a_starter(lab: Exercise, tmp_path: Path) -> None:
    found = unwritten(lab, put(lab, tmp_path))
    assert [*found] == [*range(1, len(lab.steps) + 1)]
    assert all(text.startswith(f"Lab {lab.number}, step {step}: write ") for step, text in found.items())


@pytest.mark.parametrize("lab", exercises(), ids=lambda lab: lab.number)
def test_everything_is_written_in_the_platform(lab: Exercise) -> None:
    assert unwritten(lab, {piece.module: piece.source for piece in lab.pieces}) == {}


RAISE = '    raise NotImplementedError("Lab 08, step 1: write page")'


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(RAISE, "    return b''"),
        lambda text: text.replace(RAISE, f"    print()\n{RAISE}"),
        lambda text: text.replace(RAISE, "    ..."),
        lambda text: text.replace("async def page(", "async def paige("),
        lambda text: f"PAGE: str = ''\n{text}",
        lambda text: text.replace("# Lab 08, step 1: PAGE", ""),
        lambda text: text + "(",
        lambda text: "",
    ],
)
def test_whatever_is_changed_counts_as_written(change: object, tmp_path: Path) -> None:
    lab = exercise("08")
    files = put(lab, tmp_path)
    queries = files["civildiy.feed.queries"]
    before = queries.read_text()
    queries.write_text(change(before))  # type: ignore[operator]
    assert queries.read_text() != before
    assert [*unwritten(lab, files)] == [2, 3, 4]


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b""])
def test_windows_line_ends_and_a_mark_are_no_change(before: bytes, tmp_path: Path) -> None:
    lab = exercise("01")
    files = put(lab, tmp_path)
    for file in files.values():
        file.write_bytes(before + file.read_bytes().replace(b"\n", b"\r\n"))
    assert [*unwritten(lab, files)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("lab", exercises(), ids=lambda lab: lab.number)
def test_each_check_names_its_steps(lab: Exercise) -> None:
    checks = listed(lab.checks)
    steps = {*range(1, len(lab.steps) + 1)}
    assert {name: needed(lab, name) for name in checks if not {*needed(lab, name)} & steps} == {}
    asked = {step for name in checks for step in needed(lab, name)}
    assert asked == steps, "a step that no check needs"


def test_units_of_some_steps() -> None:
    assert units_of(exercise("05"), (1, 2)) == ("auth", "profile")
    assert units_of(exercise("06"), (5,)) == ("feed-projector",)
    assert units_of(exercise("06"), ()) == exercise("06").units
