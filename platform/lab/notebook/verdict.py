"""Show the result of %lab check: a table by step, and one line to print."""

import json
import re
from dataclasses import dataclass
from typing import Any

from lab.course import results
from lab.course.exercise import exercise
from lab.home import Home
from lab.notebook.picture import Table

OUTCOMES = {0: "PASS", 1: "FAIL", 2: "NOT GRADABLE", 3: "NOT ATTEMPTED"}


@dataclass(frozen=True)
class Verdict:
    """All verdicts of one lab. Its text is one line, which is the same for the same result."""

    lab: str
    title: str
    outcome: str
    verdicts: list[dict[str, Any]]

    @classmethod
    def last(cls, home: Home, number: str, code: int) -> "Verdict | None":
        """Return what the last check of a lab wrote; None when it wrote nothing."""
        found = exercise(number)
        file = home.root / f"verdicts-{found.number}.json"
        if not file.exists():
            return None
        outcome = OUTCOMES.get(code, "NOT GRADABLE")
        return cls(found.number, found.title, outcome, json.loads(file.read_text(encoding="utf-8")))

    @property
    def table(self) -> Table:
        """One row for each step, and below it its checks that did not pass, with the next command."""
        rows: list[tuple[object, ...]] = []
        titles = dict(enumerate(exercise(self.lab).steps, 1))
        for step in sorted({verdict.get("step", 0) for verdict in self.verdicts}):
            judged = [verdict for verdict in self.verdicts if verdict.get("step", 0) == step]
            passed = [verdict for verdict in judged if verdict["outcome"] == "pass"]
            outcome = results.overall(verdict["outcome"] for verdict in judged)
            points = f"{sum(v['points'] for v in passed)} of {sum(v['points'] for v in judged)}"
            name = f"step {step} {titles[step]}" if step in titles else "all steps"
            summary = f"{len(passed)} of {len(judged)} checks"
            if outcome == "not attempted":
                gap = next((text for v in judged for label, text in v["lines"] if label == "saw"), "")
                rows.append((name, "OPEN", points, summary, gap, ""))
                continue
            rows.append((name, outcome.upper(), points, summary, "", ""))
            rows += [_missed(verdict) for verdict in judged if verdict["outcome"] != "pass"]
        heads: tuple[str, ...] = ("step", "outcome", "points", "what was checked", "what was seen", "next")
        if not any(row[4] or row[5] for row in rows):
            heads, rows = heads[:4], [row[:4] for row in rows]
        return Table(f"Lab {self.lab}: {self.title}. {self}", heads, rows)

    @property
    def unwritten(self) -> str:
        """The first part without code, in the starter's words; '' for none."""
        lines = " ".join(text for verdict in self.verdicts for _, text in verdict["lines"])
        return min(re.findall(rf"Lab {self.lab}, step \d+: write [\w.]+", lines), default="")

    def __str__(self) -> str:
        passed = [v for v in self.verdicts if v["outcome"] == "pass"]
        points = (sum(v["points"] for v in passed), sum(v["points"] for v in self.verdicts))
        begin = f". Not written yet: {self.unwritten}" if self.unwritten else ""
        return (
            f"{self.outcome}: {len(passed)} of {len(self.verdicts)} checks, {points[0]} of {points[1]} points"
            f"{begin}"
        )

    __repr__ = __str__


def _missed(verdict: dict[str, Any]) -> tuple[object, ...]:
    """Return the row of a check that did not pass."""
    by_label = {label: text for label, text in verdict["lines"]}
    why = " ".join(by_label[label] for label in ("saw", "why", "means") if label in by_label)
    case = re.search(r"\[(.+)\]$", verdict["check"])
    title = f"{verdict['title']} ({case[1]})" if case else verdict["title"]
    return ("", verdict["outcome"].upper(), f"0 of {verdict['points']}", title, why, by_label.get("next", ""))
