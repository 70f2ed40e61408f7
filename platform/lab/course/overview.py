"""Where a learner is in the course: which labs are passed, which are in progress, and which comes next."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lab.course import running
from lab.course.exercise import Exercise, exercises
from lab.course.record import Record
from lab.home import Home


class Standing(StrEnum):
    """How far a learner is with one lab."""

    PASSED = "passed"
    IN_PROGRESS = "in progress"
    NEXT = "next"
    LATER = "later"


@dataclass(frozen=True)
class Place:
    """One lab in the course. `passed` counts the steps whose checks passed with the learner's code."""

    lab: Exercise
    standing: Standing
    passed: int

    def __str__(self) -> str:
        if self.standing is Standing.IN_PROGRESS:
            return f"{self.standing}: {self.passed} of {len(self.lab.steps)} steps"
        return "" if self.standing is Standing.LATER else str(self.standing)


def overview(home: Home) -> list[Place]:
    """Return all labs in their order. At most one is next: the first that the learner has not begun."""
    record, found, someone_next = Record(home), [], False
    for lab in exercises():
        known = record.of(lab.number)
        mine = known if known.get("mine") else {}
        passed = list(mine.get("steps", {}).values()).count("pass")
        standing = Standing.LATER
        if known.get("passed_once"):
            standing, passed = Standing.PASSED, len(lab.steps)
        elif running.is_active(home, lab) or _tried(known):
            standing = Standing.IN_PROGRESS
        elif not someone_next:
            standing, someone_next = Standing.NEXT, True
        found.append(Place(lab, standing, passed))
    return found


def _tried(known: dict[str, Any]) -> bool:
    """Tell whether a learner has worked on a lab: a check has found code of theirs, or a hint was given."""
    judged = {*known.get("steps", {}).values()} - {"not attempted"}
    return bool(known.get("hints")) or bool(known.get("mine") and judged)
