"""Combine the verdicts of a lab by step: those of this run, and earlier ones."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lab.course.exercise import Exercise
from lab.course.steps import Step, checks_of

Verdicts = list[dict[str, Any]]
ORDER = ("not gradable", "fail", "not attempted")
"""The outcomes that decide first: not gradable before fail, and fail before not attempted."""


def overall(outcomes: Iterable[str]) -> str:
    """Return one outcome for many; "not attempted" for none."""
    found = {*outcomes}
    return next((outcome for outcome in ORDER if outcome in found), "pass" if found else "not attempted")


@dataclass(frozen=True)
class Result:
    """The verdicts of one step."""

    step: Step
    verdicts: Verdicts

    @property
    def outcome(self) -> str:
        """The outcome of the step."""
        return overall(verdict["outcome"] for verdict in self.verdicts)

    @property
    def points(self) -> int:
        """The points of the checks that passed."""
        return sum(v["points"] for v in self.verdicts if v["outcome"] == "pass")

    @property
    def of(self) -> int:
        """The points of all checks of the step."""
        return sum(v["points"] for v in self.verdicts)


def by_step(steps: Iterable[Step], verdicts: Verdicts) -> list[Result]:
    """Return the steps that have verdicts, in their order."""
    found = [Result(step, [v for v in verdicts if v.get("step") == step.number]) for step in steps]
    return [result for result in found if result.verdicts]


def together(lab: Exercise, before: Verdicts, now: Verdicts, others: Verdicts) -> Verdicts:
    """Return a verdict for each check of a lab: that of `now`, or of `before`, or "not attempted".

    `others` are the checks of the steps that were not judged now.
    """
    known = {v["check"]: v for v in before if v.get("step")}
    fresh = {"seconds": 0.0, "lines": [], "lab": lab.number, "outcome": "not attempted"}
    left = [fresh | other | known.get(other["check"], {}) for other in others]
    numbers = range(1, len(lab.steps) + 1)
    order = {name: place for step in numbers for place, name in enumerate(checks_of(lab, step))}
    return sorted([*now, *left], key=lambda v: (v["step"], order.get(v["check"].partition("[")[0], 0)))


def outcomes(lab: Exercise, verdicts: Verdicts) -> dict[str, str]:
    """Return the outcome of each step. The step numbers are text, as keys of a JSON object are."""
    return {
        str(step): overall(v["outcome"] for v in verdicts if v["step"] == step)
        for step in range(1, len(lab.steps) + 1)
    }
