"""The instructor's pages agree with the course: minutes, mistakes, and what is sent."""

import re
from functools import cache
from itertools import pairwise
from math import ceil

import pytest
from times import WORDS_A_MINUTE, rounded, shown_of_steps, texts

from lab.classroom.course_file import read as read_course
from lab.classroom.snapshot import LONGEST_MESSAGE, MOST_BYTES, SHARED
from lab.commands.faults import HIDDEN
from lab.course.exercise import Exercise, exercise, exercises
from lab.course.mutants import Mutant, mutants
from lab.course.steps import judged_by
from lab.faults.catalog import fault, target
from lab.home import REPO
from lab.site.slides import SOURCES, read

FOLDER = REPO / "docs" / "instructor"
AGENDAS = (FOLDER / "agendas.md").read_text(encoding="utf-8")
LAB = re.compile(r"Lab (\d\d), steps? ([\d, and]+)")
COURSES = {"half-day": ("Half a day",), "one-day": ("One day",), "two-days": ("Day 1", "Day 2")}
ROW = re.compile(r"^\| (\d+):(\d\d) \| ?(\d*) \| (.+) \|$", re.MULTILINE)
TOLERANCE = 5
"""Minutes: a reworded notebook may cross a multiple of five, and the agenda need not follow each word."""


def tables() -> dict[str, list[tuple[int, int, str]]]:
    """Return the rows of each agenda by its heading: begin (in minutes), length, text."""
    found = {}
    for part in re.split(r"^##+ ", AGENDAS, flags=re.MULTILINE):
        rows = [(int(h) * 60 + int(m), int(length or 0), text) for h, m, length, text in ROW.findall(part)]
        if rows:
            found[part.partition("\n")[0]] = rows
    return found


def by_rule(text: str) -> int | None:
    """Return the minutes of an item by the rule that the page states; None for an item without a rule."""
    if found := re.match(r"Slides (\d\d)", text):
        slides = read(next(SOURCES.glob(f"{found[1]}-*.md"))).slides
        return 5 * round(2 * len(slides) / 5)
    if found := re.match(r"Notebook (\d\d)", text):
        words = len(next((REPO / "notebooks/text").glob(f"{found[1]}-*.md")).read_text("utf-8").split())
        return 5 * ceil(words / WORDS_A_MINUTE / 5)
    if found := LAB.match(text):
        lab = exercise(found[1])
        shown = shown_of_steps(lab)
        return beginning(lab) + sum(shown[step] or 0 for step in steps_in(found[2]))
    return None


def steps_in(text: str) -> list[int]:
    return [int(step) for step in re.findall(r"\d", text)]


def beginning(lab: Exercise) -> int:
    """Return the minutes to read a lab's page up to its first step, without what the slides tell as well."""
    if lab.number == "01":
        return 0  # read in the item "The tool"
    page = texts(lab)[1].read_text(encoding="utf-8")
    before = page[: re.search(r"^##+ Step 1\b", page, re.MULTILINE).start()]  # type: ignore[union-attr]
    told = re.sub(r"^## (Why this matters|The idea)\n.*?(?=^## )", "", before, flags=re.MULTILINE | re.DOTALL)
    return rounded(len(told.split()) / WORDS_A_MINUTE)


@pytest.mark.parametrize("name", tables())
def test_an_agenda_has_no_gap(name: str) -> None:
    rows = tables()[name]
    for (begins, minutes, text), (following, _, _) in pairwise(rows):
        assert begins + minutes == following, text
    assert rows[-1][2] == "End"
    assert sum(minutes for _, minutes, _ in rows) == {"Half a day": 240}.get(name, 480)


@pytest.mark.parametrize("name", tables())
def test_an_agendas_minutes_follow_the_rule(name: str) -> None:
    rows = [(minutes, by_rule(text), text) for _, minutes, text in tables()[name]]
    ruled = [(minutes, rule, text) for minutes, rule, text in rows if rule is not None]
    assert len(ruled) >= 6
    off = [
        f"{text}: {minutes} in the agenda, {rule} by the rule"
        for minutes, rule, text in ruled
        if abs(minutes - rule) > (TOLERANCE if text.startswith("Notebook") else 0)
    ]
    assert off == []


def test_there_are_three_agendas() -> None:
    assert [*tables()] == ["Half a day", "One day", "Day 1", "Day 2"]


@pytest.mark.parametrize("name", COURSES)
def test_a_course_file_has_the_labs_and_minutes_of_its_agenda(name: str) -> None:
    file = f"courses/{name}.toml"
    assert f"[{file}]({file})" in AGENDAS
    rows = [text for heading in COURSES[name] for _, _, text in tables()[heading]]
    taught = {found[1]: sorted(steps_in(found[2])) for text in rows if (found := LAB.match(text))}
    course = read_course(FOLDER / file)
    assert {lab.number: [*lab.steps] for lab in course.labs} == taught
    for lab in course.labs:
        shown = shown_of_steps(lab.exercise)
        assert lab.step_points == {step: shown[step] for step in lab.steps}


@pytest.mark.parametrize("name", tables())
def test_nobody_works_for_two_hours_without_a_break(name: str) -> None:
    longest = since = 0
    for _, minutes, text in tables()[name]:
        since = 0 if text in ("Break", "Lunch") else since + minutes
        longest = max(longest, since)
    assert longest <= 120


def test_each_demo_of_an_agenda_and_each_prediction_is_described() -> None:
    demos = (FOLDER / "demos.md").read_text(encoding="utf-8")
    rows = [text for rows in tables().values() for _, _, text in rows]
    for lesson in {found[1] for text in rows if (found := re.match(r"Demo of lesson (\d\d)", text))}:
        assert f"## Lesson {lesson}: " in demos
    asked = {found[1] for text in rows if (found := re.match(r"Slides (\d\d), with", text))}
    table = AGENDAS.partition("| lesson | what answers the prediction |")[2].partition("\n\n")[0]
    assert asked == {*re.findall(r"^\| (\d\d) \|", table, re.MULTILINE)}


@cache
def known(number: str) -> dict[str, Mutant]:
    return {mutant.patch.stem: mutant for mutant in mutants() if mutant.lab.number == number}


MISTAKES = (FOLDER / "mistakes.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("lab", exercises(), ids=lambda lab: lab.number)
def test_mistakes_are_known_and_answered_like_this(lab: Exercise) -> None:
    part = re.split(r"^## Lab (\d\d): .*$", MISTAKES, flags=re.MULTILINE)
    text = dict(zip(part[1::2], part[2::2], strict=True))[lab.number]
    rows = re.findall(r"^\| (\d) \| .+? \| `([\w-]+)` \| (.+) \|$", text, re.MULTILINE)
    assert len(rows) >= 5
    for step, name, answer in rows:
        mutant = known(lab.number)[name]
        assert judged_by(lab, mutant.check) == int(step), name
        said = " ".join(mutant.wording.read_text(encoding="utf-8").split())
        assert answer in said, f"{name}: the check says something else now"


def test_faults_in_demos_are_possible() -> None:
    shown = [
        (file.name, words.split())
        for file in sorted(FOLDER.rglob("*.md"))
        for words in re.findall(r"`\./lab break ([a-z][^`]*)`", file.read_text(encoding="utf-8"))
    ]
    assert len(shown) > 15
    for _, (name, *rest) in shown:
        if name == HIDDEN:  # it is one of the others
            continue
        target(fault(name), rest[0] if rest and not rest[0].startswith("-") else "")


def test_what_is_sent_is_listed_for_people() -> None:
    page = (FOLDER / "overview.md").read_text(encoding="utf-8")
    listed = re.findall(r"^- (.+)$", page.partition("## What is sent")[2].partition("\n## ")[0], re.MULTILINE)
    assert listed == [*SHARED]
    assert f"{LONGEST_MESSAGE} characters" in page
    assert f"{MOST_BYTES // 1024} KiB" in page


def test_every_page_is_in_the_index() -> None:
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    pages = [file.name for file in FOLDER.glob("*.md") if file.name != "README.md"]
    assert len(pages) >= 10
    assert [name for name in pages if f"({name})" not in index] == []
