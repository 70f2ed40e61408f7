"""Which steps of a lab are still as the starter left them, and what each check needs."""

from pathlib import Path

import pytest
from contents import listed

from lab.course.exercise import Exercise, exercise, exercises
from lab.course.starter import starter
from lab.course.steps import State, checks_of, dependents, judged_by, own_code, steps_of, units_of, unwritten


def put(lab: Exercise, folder: Path) -> dict[str, Path]:
    """Return the lab's starters in a folder."""
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
        lambda text: text.replace("# Lab 08, step 1: PAGE", "PAGE: str = ''"),
        lambda text: text.replace("# Lab 08, step 1: PAGE", "if True:\n    PAGE = ''"),
        lambda text: text.replace("async def page(", "def page("),
        lambda text: text.replace("async def page(", "async def page(more, "),
    ],
)
def test_whatever_is_changed_counts_as_written(change: object, tmp_path: Path) -> None:
    lab = exercise("08")
    files = put(lab, tmp_path)
    queries = files["civildiy.feed.queries"]
    before = queries.read_text()
    queries.write_text(change(before))  # type: ignore[operator]
    assert queries.read_text() != before
    assert own_code(lab, files) == [1]
    assert [*unwritten(lab, files)] == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text: text.replace("async def page(", "async def paige("), "has no `page`"),
        (lambda text: text + "(", "SyntaxError"),
        (lambda text: text + "\x00", "null bytes"),
        (lambda text: "", "has no `page`"),
    ],
)
def test_what_cannot_run_says_why(change: object, why: str, tmp_path: Path) -> None:
    lab = exercise("08")
    files = put(lab, tmp_path)
    queries = files["civildiy.feed.queries"]
    queries.write_text(change(queries.read_text()))  # type: ignore[operator]
    first, *others = steps_of(lab, files)
    assert first.state is State.BROKEN
    assert why in first.why
    assert {step.state for step in others} == {State.OPEN}, "the rest of the lab is none of its business"


def test_a_file_that_is_not_there_breaks_its_steps_only(tmp_path: Path) -> None:
    lab = exercise("04")
    files = put(lab, tmp_path)
    files["civildiy.auth.tokens"].unlink()
    found = steps_of(lab, files)
    assert [step.number for step in found if step.state is State.BROKEN] == [1, 2]
    assert "No such file" in found[0].why


def test_a_comment_or_a_docstring_is_no_change(tmp_path: Path) -> None:
    lab = exercise("08")
    files = put(lab, tmp_path)
    queries = files["civildiy.feed.queries"]
    queries.write_text(queries.read_text().replace('    """One page', '    # mine\n\n    """A page'))
    assert own_code(lab, files) == []


def test_a_step_that_is_written_in_part(tmp_path: Path) -> None:
    lab = exercise("08")
    files = put(lab, tmp_path)
    queries = files["civildiy.feed.queries"]
    queries.write_text(queries.read_text().replace(RAISE, "    return b''"))
    first = steps_of(lab, files)[0]
    assert (first.state, first.untouched) == (State.WRITTEN, ["PAGE"])
    line = 1 + queries.read_text().splitlines().index("    return b''")
    assert first.holds(f"{tmp_path.name}/queries.py", line)
    assert not first.holds(f"{tmp_path.name}/queries.py", 1)


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b""])
def test_windows_line_ends_and_a_mark_are_no_change(before: bytes, tmp_path: Path) -> None:
    lab = exercise("01")
    files = put(lab, tmp_path)
    for file in files.values():
        file.write_bytes(before + file.read_bytes().replace(b"\n", b"\r\n"))
    assert [*unwritten(lab, files)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("lab", exercises(), ids=lambda lab: lab.number)
def test_each_check_judges_one_step(lab: Exercise) -> None:
    checks = listed(lab.checks)
    steps = range(1, len(lab.steps) + 1)
    assert [name for name in checks if judged_by(lab, name) not in steps] == []
    assert [step for step in steps if not checks_of(lab, step)] == [], "a step that no check judges"
    assert {name for step in steps for name in checks_of(lab, step)} == {*checks}


@pytest.mark.parametrize("lab", exercises(), ids=lambda lab: lab.number)
def test_steps_build_on_earlier_ones(lab: Exercise) -> None:
    known = {*range(1, len(lab.steps) + 1)}
    assert {*lab.needs} <= known
    assert {other for needs in lab.needs.values() for other in needs} <= known
    assert [step for step, needs in lab.needs.items() if step in needs] == []


def test_dependents_through_others() -> None:
    assert dependents(exercise("06"), {1}) == {2, 3, 4}
    assert dependents(exercise("06"), {4, 5}) == set()


def test_units_of_a_step() -> None:
    assert units_of(exercise("05"), 2) == ("profile",)
    assert units_of(exercise("06"), 5) == ("feed-projector",)
    assert units_of(exercise("06"), 0) == exercise("06").units
