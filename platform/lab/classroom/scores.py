"""Points, weights and totals of a class, and the step at which each person is stuck."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from lab.classroom.course_file import Course, CourseLab
from lab.classroom.judged import Judged
from lab.classroom.submission import Submission


@dataclass(frozen=True)
class Score:
    """Points in one lab, out of how many; both are scaled as the course file says."""

    points: float
    of: float

    @property
    def part(self) -> float:
        """The reached part, from 0 to 1."""
        return self.points / self.of if self.of else 0.0


@dataclass
class Row:
    """One person of the class. `shown` tells apart people with the same name."""

    submission: Submission
    shown: str
    labs: dict[str, Judged] = field(default_factory=dict)
    scores: dict[str, Score] = field(default_factory=dict)

    @property
    def points(self) -> float:
        """The points of all labs together."""
        return sum(score.points for score in self.scores.values())

    @property
    def of(self) -> float:
        """The points that can be reached in all judged labs together."""
        return sum(score.of for score in self.scores.values())

    def percent(self, course: Course) -> float:
        """Return the weighted total, from 0 to 100. Without weights, each lab counts by its points."""
        weighed = [
            (self.scores[lab.number].of if lab.weight is None else lab.weight, self.scores[lab.number].part)
            for lab in course.labs
            if lab.number in self.scores
        ]
        whole = sum(weight for weight, _ in weighed)
        return 100 * sum(weight * part for weight, part in weighed) / whole if whole else 0.0


def score(lab: CourseLab, judged: Judged) -> Score:
    """Return the points of a lab, scaled to the points of the steps or of the lab in the course file."""
    reached, possible = dict.fromkeys(lab.steps, 0.0), dict.fromkeys(lab.steps, 0.0)
    for verdict in judged.verdicts:
        possible[verdict["step"]] += verdict["points"]
        reached[verdict["step"]] += verdict["points"] if verdict["outcome"] == "pass" else 0
    if lab.step_points:
        parts = {step: reached[step] / possible[step] if possible[step] else 0.0 for step in lab.steps}
        points = sum(lab.step_points[step] * parts[step] for step in lab.steps)
        return Score(points, sum(lab.step_points.values()))
    all_of_it = Score(sum(reached.values()), sum(possible.values()))
    return all_of_it if lab.points is None else Score(lab.points * all_of_it.part, lab.points)


def rows(course: Course, submissions: Iterable[Submission], judged: Iterable[Judged]) -> list[Row]:
    """Return one row for each submission by name; two with the same name are both there."""
    found = sorted(submissions, key=lambda one: (one.name.casefold(), one.archive))
    names = [one.name for one in found]
    made = {
        one.id: Row(one, f"{one.name} ({one.archive})" if names.count(one.name) > 1 else one.name)
        for one in found
    }
    for outcome in judged:
        lab = course.lab(outcome.lab)
        if lab and (row := made.get(outcome.submission)):
            row.labs[outcome.lab] = outcome
            row.scores[outcome.lab] = score(lab, outcome)
    return list(made.values())


def stuck(course: Course, people: Iterable[Row]) -> dict[tuple[str, int], list[str]]:
    """Return who is stuck at which step (lab, step): the first that does not pass in a lab that was begun."""
    found: dict[tuple[str, int], list[str]] = {}
    for row in people:
        for lab in course.labs:
            steps = judged.steps if (judged := row.labs.get(lab.number)) else {}
            missed = [int(step) for step, outcome in steps.items() if outcome != "pass"]
            if missed and {*steps.values()} != {"not attempted"}:
                found.setdefault((lab.number, missed[0]), []).append(row.shown)
    return dict(sorted(found.items()))
