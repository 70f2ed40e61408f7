"""Read the course file (TOML): the name of a class, its labs and steps, their points and weights, and limits.

name = "Distributed systems, spring term"

[labs.01]            # without any [labs.…], all labs belong to the class
steps = [1, 2, 3]    # default: all steps
points = 10          # default: the points of the checks of these steps
weight = 2           # share in the total; default: the points

[labs.04]
steps = { 1 = 4, 3 = 6 }   # the steps with the points of each

[limits]             # of one lab of one submission: see docs/instructor/judging.md
minutes = 10
memory_mb = 3000
disk_mb = 1500
processes = 256

[people]             # what a gradebook needs to find a person; the name is that of the submission
"Ada Lovelace" = { id = "s1815", email = "ada@example.org", login = "ada" }
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from lab.course.exercise import Exercise, exercise, exercises
from lab.errors import LabError
from lab.home import REPO
from lab.text import compared, shortened, visible

DEFAULT = REPO / "course.toml"
"""The course file that holds without the option --course: an instructor may hand it out with the course."""
KEYS = {"name", "labs", "limits", "people"}
LAB_KEYS = {"steps", "points", "weight"}


@dataclass(frozen=True)
class Limits:
    """What one lab of one submission may use. Sizes are in megabytes (10⁶ bytes)."""

    minutes: float = 10
    memory_mb: int = 3000
    """Of the whole system, with all servers."""
    disk_mb: int = 1500
    """Of the whole system, with the data of all servers."""
    processes: int = 256
    """Processes and threads of the learner's code."""


@dataclass(frozen=True)
class CourseLab:
    """One lab of the class. `points` and `weight` are None when the file leaves them out."""

    exercise: Exercise
    steps: tuple[int, ...]
    step_points: Mapping[int, float] = field(default_factory=dict)
    """The points of each step, when the file states them; {} otherwise."""
    points: float | None = None
    weight: float | None = None

    @property
    def number(self) -> str:
        """The number of the lab, such as "04"."""
        return self.exercise.number


@dataclass(frozen=True)
class Person:
    """How gradebooks know a person: ID number, email address and login; '' for what is not stated."""

    id: str = ""
    email: str = ""
    login: str = ""


@dataclass(frozen=True)
class Course:
    """A class: its name, its labs in their order, the limits of a submission, and people by their names."""

    name: str
    labs: tuple[CourseLab, ...]
    limits: Limits = Limits()
    people: Mapping[str, Person] = field(default_factory=dict)

    def person(self, name: str) -> Person:
        """Return what the course file states about a person, however the name is spelled (`compared`)."""
        wanted = compared(name)
        return next((facts for known, facts in self.people.items() if compared(known) == wanted), Person())

    def unmatched(self, names: list[str]) -> list[str]:
        """Return sentences about submissions and people that do not match; [] without a table of people."""
        if not self.people:
            return []
        handed_in, known = ({compared(name) for name in some} for some in (names, self.people))
        return [
            f"not in [people] of the course file: {visible(name)}"
            for name in names
            if compared(name) not in known
        ] + [f"no archive from: {visible(name)}" for name in self.people if compared(name) not in handed_in]

    def lab(self, number: str) -> CourseLab | None:
        """Return the lab with this number, or None when it does not belong to the class."""
        return next((lab for lab in self.labs if lab.number == number), None)


def whole_course() -> Course:
    """Return the course that holds without a course file: all labs that need no option."""
    return Course("CivilDIY Lab", tuple(_whole_lab(lab) for lab in exercises() if not lab.option))


def read(file: Path | None) -> Course:
    """Return the course that the file describes; without one, that of course.toml beside ./lab, or all labs.

    Raises LabError that names the wrong part of the file and what is expected there.
    """
    if file is None:
        if not DEFAULT.exists():
            return whole_course()
        file = DEFAULT
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8-sig"))  # Windows' editor adds the mark
    except OSError as error:
        raise LabError(
            f"The course file {visible(file)} cannot be read: {error.strerror}. Name another: --course FILE"
        ) from None
    except ValueError as error:  # no UTF-8, or no TOML
        raise _wrong(file, "the file", f"TOML in UTF-8 ({shortened(error, 120)})") from None
    return _made(file, data)


def _made(file: Path, data: dict[str, Any]) -> Course:
    _refuse_unknown(file, "the file", data, KEYS)
    name = data.get("name", "CivilDIY Lab")
    if not isinstance(name, str) or not 0 < len(name) <= 200 or not name.isprintable():
        raise _wrong(file, "name", "a text of 1 to 200 characters on one line")
    labs = data.get("labs", {})
    if not isinstance(labs, dict):
        raise _wrong(file, "labs", "tables such as [labs.01]")
    found = [_lab(file, number, settings) for number, settings in labs.items()]
    numbers = [lab.number for lab in found]
    if twice := [number for number in numbers if numbers.count(number) > 1]:
        raise _wrong(file, f"labs.{twice[0]}", "each lab once")
    limits, people = _limits(file, data.get("limits", {})), _people(file, data.get("people", {}))
    chosen = tuple(sorted(found, key=lambda lab: lab.number)) if found else whole_course().labs
    return Course(name, chosen, limits, people)


def _lab(file: Path, number: str, said: object) -> CourseLab:
    where = f"labs.{number}"
    try:
        lab = exercise(number)
    except LabError as error:
        raise _wrong(file, where, f"the number of a lab. {error}") from None
    if lab.option:
        why = f"its checks need the option {lab.option}, which the fresh system of a submission does not have"
        raise _wrong(file, where, f"no lab {number}: {why}")
    if not isinstance(said, dict):
        raise _wrong(file, where, f"a table: [{where}]")
    _refuse_unknown(file, where, said, LAB_KEYS)
    steps = said.get("steps", list(range(1, len(lab.steps) + 1)))
    each = _step_points(file, f"{where}.steps", steps) if isinstance(steps, dict) else {}
    chosen = [*each] if each else steps
    if not isinstance(chosen, list) or not chosen or not all(_is_step(lab, step) for step in chosen):
        raise _wrong(file, f"{where}.steps", f"numbers from 1 to {len(lab.steps)}, such as [1, 2]")
    if each and "points" in said:
        raise _wrong(file, f"{where}.points", "no points of the lab when each step has its own")
    points, weight = (_number(file, f"{where}.{key}", said.get(key)) for key in ("points", "weight"))
    return CourseLab(lab, tuple(sorted({*chosen})), each, points, weight)


def _step_points(file: Path, where: str, said: dict[str, object]) -> dict[int, float]:
    found = {}
    for step, points in said.items():
        value = _number(file, f"{where}.{step}", points)
        if not step.isdecimal() or value is None:
            raise _wrong(file, where, "numbers of steps with their points, such as { 1 = 4, 3 = 6 }")
        found[int(step)] = value
    return found


def _is_step(lab: Exercise, step: object) -> bool:
    return isinstance(step, int) and not isinstance(step, bool) and 1 <= step <= len(lab.steps)


def _number(file: Path, where: str, said: object) -> float | None:
    if said is None:
        return None
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0 <= said <= 1_000_000:
        raise _wrong(file, where, "a number from 0 to 1,000,000")
    return float(said)


def _limits(file: Path, said: object) -> Limits:
    if not isinstance(said, dict):
        raise _wrong(file, "limits", "a table: [limits]")
    known = {one.name: one.default for one in fields(Limits)}
    _refuse_unknown(file, "limits", said, set(known))
    for name in said:
        value = _number(file, f"limits.{name}", said[name])
        if not value or (isinstance(known[name], int) and name != "minutes" and value != int(value)):
            raise _wrong(file, f"limits.{name}", "a whole number above 0")
    whole = {name: float(value) if name == "minutes" else int(value) for name, value in said.items()}
    return Limits(**whole)  # type: ignore[arg-type]


def _people(file: Path, said: object) -> dict[str, Person]:
    if not isinstance(said, dict):
        raise _wrong(file, "people", "a table: [people]")
    found: dict[str, Person] = {}
    for name, facts in said.items():
        where = f"people.{name}"
        if not isinstance(facts, dict) or not all(isinstance(fact, str) for fact in facts.values()):
            raise _wrong(file, where, 'texts, such as { id = "s1815", email = "ada@example.org" }')
        _refuse_unknown(file, where, facts, {one.name for one in fields(Person)})
        if compared(name) in map(compared, found):
            raise _wrong(file, where, "each person once; letter case and spaces do not tell two people apart")
        found[name.strip()] = Person(**facts)
    return found


def _refuse_unknown(file: Path, where: str, said: Mapping[str, object], known: set[str]) -> None:
    if unknown := sorted({*said} - known):
        raise _wrong(file, where, f"only {', '.join(sorted(known))}, but it contains {visible(unknown[0])!r}")


def _whole_lab(lab: Exercise) -> CourseLab:
    return CourseLab(lab, tuple(range(1, len(lab.steps) + 1)))


def _wrong(file: Path, where: str, expected: str) -> LabError:
    return LabError(
        f"The course file {visible(file)} is wrong at {visible(where)}. Expected: {expected}."
        "\nAn example: docs/instructor/judging.md"
    )


def chosen(course: Course, numbers: str) -> tuple[str, ...]:
    """Return the numbers of these labs, such as "01,04"; of all labs for "". Raises LabError."""
    chosen_numbers = {exercise(number.strip()).number for number in numbers.split(",") if number.strip()}
    known = [lab.number for lab in course.labs]
    if unknown := sorted(chosen_numbers - {*known}):
        raise LabError(f"Lab {unknown[0]} does not belong to {course.name}. Its labs are {', '.join(known)}.")
    return tuple(number for number in known if not chosen_numbers or number in chosen_numbers)
