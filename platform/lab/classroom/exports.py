"""The results as tables for programs: CSV and JSON, and CSV files that gradebooks import.

Sources of the formats: for nbgrader, the columns of its own CSV exporter (nbgrader/plugins/export.py, class
CsvExportPlugin); for Canvas, what its importer accepts (canvas-lms, lib/gradebook_importer.rb: the columns
Student, ID, SIS User ID, SIS Login ID and Section before the assignments, and a row "Points Possible"); for
Moodle, its page "Grade import": a CSV file whose columns are mapped by hand, after the person's email address
or ID number.
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lab.classroom.course_file import Course, CourseLab
from lab.classroom.page import page
from lab.classroom.scores import Row
from lab.classroom.submission import Refused
from lab.text import visible

NBGRADER = (
    "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email", "raw_score",
    "late_submission_penalty", "score", "max_score",
)  # fmt: skip
CANVAS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")


def write_all(out: Path, course: Course, rows: list[Row], refused: list[Refused], note: str) -> list[Path]:
    """Write every form of the results into a folder, and return the files."""
    texts = {
        "results.html": page(course, rows, refused, note),
        "results.json": json.dumps(as_data(course, rows, refused, note), indent=1),
        "results.csv": as_csv(results_table(course, rows)),
        "nbgrader.csv": as_csv(nbgrader_table(course, rows)),
        "canvas.csv": as_csv(canvas_table(course, rows)),
        "moodle.csv": as_csv(moodle_table(course, rows)),
    }
    for name, text in texts.items():
        new = out / f"{name}.new"
        new.write_text(text, encoding="utf-8", newline="")
        new.replace(out / name)
    return [out / name for name in texts]


def as_csv(table: Iterable[Sequence[object]]) -> str:
    """Return the table as CSV (RFC 4180). A text that a spreadsheet would run as a formula gets a quote."""
    text = io.StringIO()
    csv.writer(text).writerows([[_cell(value) for value in line] for line in table])
    return text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    if isinstance(value, str) and value[:1] in tuple("=+-@\t\r"):
        return f"'{visible(value)}"
    return visible(value) if isinstance(value, str) else value


def results_table(course: Course, rows: list[Row]) -> list[list[object]]:
    """Return a line for each person: outcome, points and steps that pass of each lab, and the total."""
    head: list[object] = ["name", "file", "made"]
    for lab in course.labs:
        head += [f"{lab.number} outcome", f"{lab.number} points", f"{lab.number} of", f"{lab.number} steps"]
    table = [[*head, "points", "of", "percent", "remarks"]]
    for row in rows:
        line: list[object] = [row.submission.name, row.submission.archive, row.submission.made]
        for lab in course.labs:
            if judged := row.labs.get(lab.number):
                passed = [step for step, outcome in judged.steps.items() if outcome == "pass"]
                score = row.scores[lab.number]
                line += [judged.outcome, score.points, score.of, " ".join(passed)]
            else:
                line += ["not judged", "", "", ""]
        remarks = " ".join(row.submission.remarks)
        table.append([*line, row.points, row.of, round(row.percent(course), 2), remarks])
    return table


def nbgrader_table(course: Course, rows: list[Row]) -> list[list[object]]:
    """Return a line for each person and lab, with the columns of nbgrader's own export."""
    table: list[list[object]] = [[*NBGRADER]]
    for lab in course.labs:
        for row in rows:
            if score := row.scores.get(lab.number):
                first, _, last = row.submission.name.rpartition(" ")
                known = course.person(row.submission.name)
                table.append([
                    f"lab{lab.number}", "", row.submission.made, known.id or row.shown, last, first,
                    known.email, score.points, 0.0, score.points, score.of,
                ])  # fmt: skip
    return table


def canvas_table(course: Course, rows: list[Row]) -> list[list[object]]:
    """Return the table that Canvas imports: it finds a person by ID or login, else by name."""
    labs = [lab for lab in course.labs if any(lab.number in row.scores for row in rows)]
    of = {lab.number: next(r.scores[lab.number].of for r in rows if lab.number in r.scores) for lab in labs}
    table: list[list[object]] = [[*CANVAS, *(f"Lab {lab.number} {lab.exercise.title}" for lab in labs)]]
    table.append(["Points Possible", "", "", "", "", *(of[lab.number] for lab in labs)])
    for row in rows:
        points = [row.scores[lab.number].points if lab.number in row.scores else "" for lab in labs]
        known = course.person(row.submission.name)
        table.append([row.submission.name, "", known.id, known.login, "", *points])
    return table


def moodle_table(course: Course, rows: list[Row]) -> list[list[object]]:
    """Return the table for Moodle's import, which asks which column is which."""
    heads = [f"Lab {lab.number} {lab.exercise.title}{_at_most(lab, rows)}" for lab in course.labs]
    table: list[list[object]] = [["ID number", "Email address", "Full name", *heads, "Total (percent)"]]
    for row in rows:
        points = [r.points if (r := row.scores.get(lab.number)) else "" for lab in course.labs]
        known = course.person(row.submission.name)
        table.append([known.id, known.email, row.submission.name, *points, round(row.percent(course), 2)])
    return table


def _at_most(lab: CourseLab, rows: list[Row]) -> str:
    """Return the most points of a lab for its heading, because Moodle gives a new item a maximum of 100."""
    of = next((row.scores[lab.number].of for row in rows if lab.number in row.scores), None)
    return "" if of is None else f" (of {_cell(float(of))})"


def as_data(course: Course, rows: list[Row], refused: list[Refused], note: str) -> dict[str, Any]:
    """Return everything that is known, for programs."""
    return {
        "course": course.name,
        "note": note,
        "labs": [
            {"lab": lab.number, "title": lab.exercise.title, "steps": lab.steps, "points": lab.points,
             "weight": lab.weight}
            for lab in course.labs
        ],
        "people": [_person(course, row) for row in rows],
        "refused": [{"file": one.archive, "name": one.name, "why": one.why} for one in refused],
    }  # fmt: skip


def _person(course: Course, row: Row) -> dict[str, Any]:
    return {
        "name": row.submission.name,
        "file": row.submission.archive,
        "made": row.submission.made,
        "versions": row.submission.versions,
        "remarks": row.submission.remarks,
        "points": row.points,
        "of": row.of,
        "percent": round(row.percent(course), 2),
        "labs": {
            number: {
                "outcome": judged.outcome, "points": row.scores[number].points, "of": row.scores[number].of,
                "steps": judged.steps, "verdicts": judged.verdicts, "trouble": judged.trouble,
                "timed_out": judged.timed_out, "attempts": judged.attempts, "seed": judged.seed,
                "seconds": judged.seconds,
            }
            for number, judged in sorted(row.labs.items())
        },
        "predictions": row.submission.predictions,
    }  # fmt: skip
