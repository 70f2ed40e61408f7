"""The result of %lab check: the same words as in the terminal, as a table, and to print."""

import json
from dataclasses import dataclass
from typing import Any

from lab.course.exercise import exercise
from lab.home import Home
from lab.notebook.picture import Table

OUTCOMES = {0: "PASS", 1: "FAIL", 2: "NOT GRADABLE", 3: "NOT ATTEMPTED"}


@dataclass(frozen=True)
class Verdict:
    """All verdicts of one lab. Printed, it is one line that stays the same for the same result."""

    lab: str
    title: str
    outcome: str
    verdicts: list[dict[str, Any]]

    @classmethod
    def last(cls, home: Home, number: str, code: int) -> "Verdict | None":
        """What the last check of a lab wrote; None when it wrote nothing."""
        found = exercise(number)
        file = home.root / f"verdicts-{found.number}.json"
        if not file.exists():
            return None
        outcome = OUTCOMES.get(code, "NOT GRADABLE")
        return cls(found.number, found.title, outcome, json.loads(file.read_text(encoding="utf-8")))

    @property
    def table(self) -> Table:
        """One row for each check; what did not pass says why and what to do next."""
        rows = []
        for verdict in self.verdicts:
            said = {label: text for label, text in verdict["lines"]}
            why = " ".join(said[label] for label in ("saw", "why", "means") if label in said)
            rows.append(
                (verdict["outcome"].upper(), verdict["title"], verdict["points"], why, said.get("next", ""))
            )
        heads = ("outcome", "what was checked", "points", "what was seen", "next")
        return Table(f"Lab {self.lab}: {self.title}. {self}", heads, rows)

    def __str__(self) -> str:
        passed = [v for v in self.verdicts if v["outcome"] == "pass"]
        points = (sum(v["points"] for v in passed), sum(v["points"] for v in self.verdicts))
        return (
            f"{self.outcome}: {len(passed)} of {len(self.verdicts)} checks, {points[0]} of {points[1]} points"
        )

    __repr__ = __str__
