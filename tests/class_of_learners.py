"""Simulated learners: homes with progress and predictions as `./lab check` and the notebooks write them."""

import json
import random
from pathlib import Path
from typing import Any

from lab.classroom.questions import questions
from lab.course.demands import demands
from lab.course.exercise import exercise, exercises
from lab.course.steps import checks_of

HOSTILE = "<script>document.title='hacked'</script><img src=x onerror=document.title='hacked'>\x1b[2J\u202e"
"""Text that must never run, load or disturb anything."""


def progress(chance: random.Random, furthest: int = 2) -> dict[str, Any]:
    """Return the content of a progress.json: some labs with passed, failed and open steps."""
    found = {}
    for lab in exercises()[: chance.randint(1, furthest)]:
        steps, verdicts = {}, []
        for step in range(1, len(lab.steps) + 1):
            outcome = chance.choice(["pass", "pass", "fail", "not attempted"])
            steps[str(step)] = outcome
            for check in checks_of(lab, step)[:1]:
                lines = [
                    ["did", "asked"],
                    ["saw", f"{chance.randint(0, 9)}"],
                    ["means", f"{check} means this."],
                ]
                verdicts.append(verdict(lab.number, step, check, outcome, lines if outcome == "fail" else []))
        points = sum(v["points"] for v in verdicts if v["outcome"] == "pass")
        found[lab.number] = {
            "outcome": "fail", "points": points, "of": len(verdicts), "steps": steps, "mine": True,
            "when": "2026-11-30 09:00:00", "verdicts": verdicts,
        }  # fmt: skip
    return found


def verdict(lab: str, step: int, check: str, outcome: str, lines: list[list[str]]) -> dict[str, Any]:
    """Return one verdict as a check writes it."""
    title = next(demand.text for demand in demands(exercise(lab)) if demand.check == check.partition("[")[0])
    return {"check": check, "title": title, "lab": lab, "points": 1, "outcome": outcome,
            "seconds": 0.1, "lines": lines, "step": step}  # fmt: skip


def predictions(chance: random.Random) -> dict[str, Any]:
    """Return the content of a predictions.json."""
    found = {}
    for asked in questions().values():
        if chance.random() < 0.7:
            letter = chance.choice([*asked.choices])
            found[asked.text] = {
                "mine": letter,
                "choice": asked.choices[letter],
                "seen": chance.random() < 0.5,
            }
    return found


def home(folder: Path, seed: int) -> Path:
    """Write a learner's home and return it."""
    chance = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "progress.json").write_text(json.dumps(progress(chance)), encoding="utf-8")
    (folder / "predictions.json").write_text(json.dumps(predictions(chance)), encoding="utf-8")
    return folder
