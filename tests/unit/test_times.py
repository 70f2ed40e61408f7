"""The times that a lesson shows follow the rule in labs/README.md."""

import re

import pytest
from times import lines, minutes, span, texts

from lab.course.exercise import Exercise, exercises

LESSONS = ("01", "02", "03", "05", "06", "07", "08")
"""Lessons whose times have been worked out by the rule: add those that have been rewritten."""
TOLERANCE = 5
LABS = [lab for lab in exercises() if lab.number in LESSONS]


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.number)
def test_times_follow_the_rule(lab: Exercise) -> None:
    wanted = span(minutes(lab))
    for text in texts(lab):
        found = re.search(r"(\d+) to (\d+) minutes", text.read_text(encoding="utf-8"))
        assert found, f"{text.name} shows no range of minutes"
        shown = int(found[1]), int(found[2])
        off = max(abs(a - b) for a, b in zip(shown, wanted, strict=True))
        assert off <= TOLERANCE, f"{text} shows {shown}, the rule gives {wanted}"
    assert abs(lab.minutes - minutes(lab)) <= TOLERANCE


def test_docstrings_comments_and_blank_lines_do_not_count() -> None:
    discovery = next(lab for lab in exercises() if lab.number == "02")
    assert (lines(discovery)[2], lines(discovery)[4]) == (1, 2)


def test_a_range_is_a_sixth_around_its_middle() -> None:
    assert span(120) == (100, 140)
