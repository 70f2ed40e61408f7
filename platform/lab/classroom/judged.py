"""The outcome of one lab of one submission: a verdict for every check of the chosen steps."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lab.classroom.course_file import CourseLab
from lab.classroom.job import Result
from lab.course import results
from lab.course.results import Verdicts

Listed = list[dict[str, Any]]
"""The checks of the course, as `graders.listed` returns them."""


@dataclass
class Judged:
    """One lab of one submission. `trouble` tells why it could not be judged; '' when it was."""

    submission: str
    lab: str
    outcome: str
    steps: dict[str, str] = field(default_factory=dict)
    verdicts: Verdicts = field(default_factory=list)
    trouble: str = ""
    timed_out: bool = False
    attempts: int = 1
    seed: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    key: str = ""
    """A hash of everything that decides about this outcome; a resumed run compares it."""

    @property
    def took(self) -> float:
        """Seconds for everything, from the start of the system to the last check."""
        return sum(self.seconds.values())

    def write(self, file: Path) -> None:
        """Write the outcome; a reader never sees half of it."""
        new = file.with_suffix(".new")
        new.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        new.replace(file)

    @classmethod
    def read(cls, file: Path) -> "Judged | None":
        """Return the outcome in a file; None when there is none."""
        try:
            return cls(**json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None


def not_begun(submission: str, lab: CourseLab, listed: Listed, why: str) -> Judged:
    """Return the outcome of a lab without code of the learner."""
    verdicts = [_unjudged(check, "not attempted", why) for check in _checks(lab, listed)]
    return _made(submission, lab, verdicts)


def from_result(submission: str, lab: CourseLab, listed: Listed, result: Result, minutes: float) -> Judged:
    """Return the outcome of a lab that a cell has judged.

    A check without a verdict did not run: because time was over or the memory was used up, which counts as
    failed, or because of the system, which is not gradable.
    """
    known = {verdict["check"]: verdict for verdict in result.verdicts if verdict.get("step") in lab.steps}
    late = f"Nothing: the checks of this lab were ended after {minutes:g} minutes."
    if result.timed_out:
        outcome, why = "fail", late
    elif result.too_large:
        outcome, why = "fail", f"Nothing: {result.trouble}"
    else:
        outcome, why = "not gradable", result.trouble or "It did not run."
    verdicts = [known.get(one["check"]) or _unjudged(one, outcome, why) for one in _checks(lab, listed)]
    made = _made(submission, lab, verdicts)
    made.trouble, made.timed_out, made.seconds = result.trouble, result.timed_out, result.seconds
    return made


def _checks(lab: CourseLab, listed: Listed) -> Listed:
    return [check for check in listed if check["lab"] == lab.number and check["step"] in lab.steps]


def _unjudged(check: dict[str, Any], outcome: str, why: str) -> dict[str, Any]:
    return {**check, "outcome": outcome, "seconds": 0.0, "lines": [["saw", why]]}


def _made(submission: str, lab: CourseLab, verdicts: Verdicts) -> Judged:
    verdicts = sorted(verdicts, key=lambda verdict: int(verdict["step"]))
    outcomes = results.outcomes(lab.exercise, verdicts)
    chosen = {str(step): outcomes[str(step)] for step in lab.steps}
    return Judged(submission, lab.number, results.overall(chosen.values()), chosen, verdicts)
