"""Which hint comes next: of the step that the learner is at, from vague to concrete."""

from dataclasses import dataclass
from typing import Any

from lab.course import steps
from lab.course.exercise import Exercise, Hint
from lab.errors import LabError


@dataclass(frozen=True)
class Next:
    """The step that hints are about, how many of them were given, and the one to give now."""

    step: int
    of_step: tuple[Hint, ...]
    given: int

    @property
    def hint(self) -> Hint | None:
        """None when all were given."""
        return self.of_step[self.given] if self.given < len(self.of_step) else None


def step_of(lab: Exercise, known: dict[str, Any], gaps: dict[int, str]) -> int:
    """The step a learner is at: of the check that failed last, else the first that is not written.

    `known` is the lab's record; `gaps` as steps.unwritten gives them.
    """
    missed = {v["check"] for v in known.get("verdicts", []) if v["outcome"] == "fail"}
    first = str(known.get("first", ""))
    judged = steps.judged_by(lab, first)
    if judged and judged not in gaps and (first in missed or not gaps):
        return judged
    return min(gaps, default=len(lab.steps))


def following(lab: Exercise, known: dict[str, Any], gaps: dict[int, str], step: int | None) -> Next:
    """The next hint of `step`, or of the step the learner is at. Raises LabError for a wrong step."""
    if step is not None:
        refuse_unknown(lab, step)
    chosen = step or step_of(lab, known, gaps)
    return Next(chosen, tuple(h for h in lab.hints if h.step == chosen), given(known).get(str(chosen), 0))


def refuse_unknown(lab: Exercise, step: int) -> None:
    """Raises LabError that lists the steps for one that the lab does not have."""
    if not 1 <= step <= len(lab.steps):
        named = "\n".join(f"  {n} {title}" for n, title in enumerate(lab.steps, 1))
        raise LabError(f"Lab {lab.number} has the steps\n{named}")


def given(known: dict[str, Any]) -> dict[str, int]:
    """How many hints of each step were given."""
    counts = known.get("hints")
    if not isinstance(counts, dict):
        return {}
    return {step: count for step, count in counts.items() if isinstance(count, int) and count > 0}
