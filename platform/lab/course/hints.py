"""Choose the next hint: one for the step that the learner works on, from a question to almost the code."""

from dataclasses import dataclass
from typing import Any

from lab.course import steps
from lab.course.exercise import Exercise, Hint
from lab.errors import LabError


@dataclass(frozen=True)
class Next:
    """The step, how many of its hints were given, and the hint to give now."""

    step: int
    of_step: tuple[Hint, ...]
    given: int

    @property
    def hint(self) -> Hint | None:
        """The hint to give now; None when all were given."""
        return self.of_step[self.given] if self.given < len(self.of_step) else None


def step_of(lab: Exercise, known: dict[str, Any], gaps: dict[int, str]) -> int:
    """Return the step that the learner works on: that of the check that failed last, or the first open one.

    `known` is the lab's record; `gaps` is what steps.unwritten returns.
    """
    missed = {v["check"] for v in known.get("verdicts", []) if v["outcome"] == "fail"}
    first = str(known.get("first", ""))
    judged = steps.judged_by(lab, first)
    if judged and judged not in gaps and (first in missed or not gaps):
        return judged
    return min(gaps, default=len(lab.steps))


def following(lab: Exercise, known: dict[str, Any], gaps: dict[int, str], step: int | None) -> Next:
    """Return the next hint of `step`, or of the current step. Raises LabError for an unknown step."""
    if step is not None:
        refuse_unknown(lab, step)
    chosen = step or step_of(lab, known, gaps)
    return Next(chosen, tuple(h for h in lab.hints if h.step == chosen), given(known).get(str(chosen), 0))


def refuse_unknown(lab: Exercise, step: int) -> None:
    """Raise LabError with the list of steps when the lab does not have this step."""
    if not 1 <= step <= len(lab.steps):
        named = "\n".join(f"  {n} {title}" for n, title in enumerate(lab.steps, 1))
        raise LabError(f"Lab {lab.number} has the steps\n{named}")


def given(known: dict[str, Any]) -> dict[str, int]:
    """Return how many hints of each step were given."""
    counts = known.get("hints")
    if not isinstance(counts, dict):
        return {}
    return {step: count for step, count in counts.items() if isinstance(count, int) and count > 0}
