"""The times that a lesson shows follow the rule in labs/README.md."""

import re

import pytest
from times import (
    RANGE,
    WORDS_A_MINUTE,
    lines,
    minutes,
    minutes_of_steps,
    rounded,
    shown_of_steps,
    span,
    texts,
    writing,
)

from lab.course.exercise import Exercise, exercises

LESSONS = ("01", "02", "03", "04", "05", "06", "07", "08", "09")
"""Lessons whose times have been worked out by the rule: add those that have been rewritten."""
TOLERANCE = 5
STEP_TOLERANCE = 4
"""A page shows multiples of five: the nearest one is at most 2.5 off, and a reworded section may move it."""
LINES_A_STEP, LINES_A_LAB = 25, 70
"""The greatest sizes, without a tolerance. The lines are those that `times.lines` counts."""
LARGER_LABS = {"09": 80}
"""Lab 09 has six steps in six files. It is the only one that may be larger."""
SHOWN_LINES = re.compile(r"^##+ Step (\d+)\b.*\(about (\d+) lines\)$", re.MULTILINE)
LABS = [lab for lab in exercises() if lab.number in LESSONS]


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.number)
def test_times_follow_the_rule(lab: Exercise) -> None:
    wanted = span(minutes(lab))
    for text in texts(lab):
        found = RANGE.search(text.read_text(encoding="utf-8"))
        assert found, f"{text.name} shows no range of minutes"
        shown = int(found[1]), int(found[2])
        off = max(abs(a - b) for a, b in zip(shown, wanted, strict=True))
        assert off <= TOLERANCE, f"{text} shows {shown}, the rule gives {wanted}"
    assert abs(lab.minutes - minutes(lab)) <= TOLERANCE


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.number)
def test_each_step_shows_its_minutes(lab: Exercise) -> None:
    wanted, shown = minutes_of_steps(lab), shown_of_steps(lab)
    assert list(wanted) == list(range(1, len(lab.steps) + 1)), "the page has a heading for each step"
    off = {
        step: (shown[step], rounded(exact))
        for step, exact in wanted.items()
        if (known := shown[step]) is None or known % 5 or abs(known - exact) > max(STEP_TOLERANCE, 5 - exact)
    }
    assert not off, (
        f"shown and by the rule: {off}; run `.venv/bin/python -P tests/times.py {lab.number} --write`"
    )


@pytest.mark.parametrize("lab", exercises(), ids=lambda lab: lab.number)
def test_steps_are_a_part_of_the_whole(lab: Exercise) -> None:
    """The rest is the time to read the notebook and the other sections of the lab's page."""
    notebook = len(texts(lab)[0].read_text(encoding="utf-8").split()) / WORDS_A_MINUTE
    steps = sum(minutes_of_steps(lab).values())
    assert steps + notebook < minutes(lab) < steps + notebook + 15


@pytest.mark.parametrize("lab", exercises(), ids=lambda lab: lab.number)
def test_a_step_and_a_lab_can_be_written_in_an_evening(lab: Exercise) -> None:
    """What is longer holds code that teaches nothing: give it, as something that is not left out."""
    sizes = lines(lab)
    assert {step: size for step, size in sizes.items() if size > LINES_A_STEP} == {}
    assert sum(sizes.values()) <= LARGER_LABS.get(lab.number, LINES_A_LAB), dict(sizes)


@pytest.mark.parametrize("lab", exercises(), ids=lambda lab: lab.number)
def test_headings_show_the_lines_of_their_step(lab: Exercise) -> None:
    """Some pages show "(about 9 lines)" in the heading of a step."""
    page = texts(lab)[1].read_text(encoding="utf-8")
    shown = {int(step): int(size) for step, size in SHOWN_LINES.findall(page)}
    assert shown == {step: lines(lab)[step] for step in shown}


def test_docstrings_comments_and_blank_lines_do_not_count() -> None:
    discovery = next(lab for lab in exercises() if lab.number == "02")
    assert (lines(discovery)[2], lines(discovery)[4]) == (1, 2)


def test_a_line_that_goes_on_counts_half() -> None:
    """The registration is one call over several lines."""
    discovery = next(lab for lab in exercises() if lab.number == "02")
    assert writing(discovery)[1] == 2 + (lines(discovery)[1] - 1)


def test_a_range_is_a_sixth_around_its_middle() -> None:
    assert span(120) == (100, 140)
