"""The commands of the labs: start, stop, task, check, hint, solution, list, report."""

import difflib
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from civildiy.learner.finder import fingerprint
from lab.backend import Backend
from lab.course import running
from lab.course.exercise import Exercise, exercise, exercises
from lab.course.grading import grade
from lab.course.record import Record
from lab.course.report import write_html, write_junit
from lab.course.starter import starter
from lab.errors import LabError
from lab.home import Home

WATCH_SECONDS = 0.2


class Course:
    """What the commands work with."""

    def __init__(self, home: Home, backend: Backend, console: Console) -> None:
        self.home, self.backend, self.console = home, backend, console
        self.record = Record(home)

    def say(self, text: str) -> None:
        """A line for a person."""
        self.console.print(text, markup=False)

    def check(self, number: str, options: tuple[str, ...] = (), *, quick: bool = False) -> int:
        """Grade a lab; prints the report, keeps the outcome, returns the exit code.

        `quick`: what failed before comes first, and the first check that does not pass is the last.
        """
        lab = exercise(number)
        self.say(f"checking {lab.number} {lab.title} …")
        began = time.monotonic()
        graded = grade(self.home, lab, options, quick=quick)
        code, verdicts = graded.code, graded.verdicts
        if verdicts is None:
            self.say(graded.said)
            self.say("NOT GRADABLE: the checks did not run (see above).")
            return 2
        # No run ends at what JupyterLab cannot grade.
        cut_short = quick and not (self.backend.kind == "inside" and code == 2)
        self._print(lab, verdicts, time.monotonic() - began, code, cut_short=cut_short)
        # A part of the checks says nothing about the lab.
        if all(re.fullmatch(r"--seed(=\d+)?|\d+", o) for o in options):
            if not quick or code == 0:
                self._keep(lab, verdicts, code)
            else:
                self.record.note(lab.number, first=_first_missed(verdicts))
        return code

    def _keep(self, lab: Exercise, verdicts: list[dict[str, Any]], code: int) -> None:
        outcome = {0: "pass", 1: "fail", 2: "not gradable", 3: "not attempted"}[code]
        mine = running.is_active(self.home, lab)
        facts = {
            "outcome": outcome,
            "points": sum(v["points"] for v in verdicts if v["outcome"] == "pass"),
            "of": sum(v["points"] for v in verdicts),
            "first": _first_missed(verdicts),
            "mine": mine,
            "when": time.strftime("%F %T"),
            "verdicts": verdicts,
        }
        if outcome == "pass" and mine:
            facts["passed_once"] = True
        self.record.note(lab.number, **facts)

    def _print(
        self, lab: Exercise, verdicts: list[dict[str, Any]], seconds: float, code: int, *, cut_short: bool
    ) -> None:
        from grading.outcome import from_dict  # the checks lie outside this package

        for verdict in verdicts:
            self.console.print(from_dict(verdict).text(), markup=False, soft_wrap=True)
        passed = [v for v in verdicts if v["outcome"] == "pass"]
        mine = "your code" if running.is_active(self.home, lab) else "the platform's code"
        word = {0: "PASS", 1: "FAIL", 2: "NOT GRADABLE", 3: "NOT ATTEMPTED"}[code]
        if cut_short and code != 0:
            self.say(f"\n{word}: stopped at the first check that does not pass, {len(passed)} passed before"
                     f" it, {mine}, {seconds:.1f} s. All of them: ./lab check {lab.number}")  # fmt: skip
            return
        points, total = (sum(int(v["points"]) for v in some) for some in (passed, verdicts))
        self.say(f"\n{word}: {len(passed)} of {len(verdicts)} checks, {points} of {total} points,"
                 f" {mine}, {seconds:.1f} s")  # fmt: skip


def _first_missed(verdicts: list[dict[str, Any]]) -> str:
    return next((str(v["title"]) for v in verdicts if v["outcome"] != "pass"), "")


def register(cli: click.Group, home: Home, backend: Backend, console: Console) -> None:
    """Add the commands to `cli`."""
    course = Course(home, backend, console)
    number = click.argument("number")

    @cli.command()
    @number
    def start(number: str) -> None:
        """Make the running system use your code of a lab."""
        lab = exercise(number)
        for piece in lab.pieces:
            if not piece.file.exists():
                piece.file.write_text(starter(lab, piece), encoding="utf-8")
        running.use(home, backend, lab, running.files_of(lab))
        for piece in lab.pieces:
            course.say(f"{', '.join(piece.units)} runs labs/{piece.file.parent.name}/{piece.file.name}"
                       f" instead of {piece.module}")  # fmt: skip
        course.say(f"Next: ./lab task {lab.number}, write, ./lab check {lab.number} --watch")

    @cli.command()
    @number
    def stop(number: str) -> None:
        """Go back to the platform's own code."""
        lab = exercise(number)
        running.use(home, backend, lab, None)
        for unit in lab.units:
            for file in running.code_of(home, unit).values():
                course.say(f"{unit} still runs labs/{file}, of another lab.")
        if back := [unit for unit in lab.units if not running.code_of(home, unit)]:
            course.say(f"{', '.join(back)} runs the platform's own code again. Your files stay.")

    @cli.command()
    @number
    def task(number: str) -> None:
        """Show what to do in a lab."""
        console.print(Markdown((exercise(number).folder / "README.md").read_text(encoding="utf-8")))

    @cli.command(context_settings={"ignore_unknown_options": True})
    @number
    @click.option("--watch", is_flag=True, help="Check again after each save.")
    @click.argument("pytest_options", nargs=-1, type=click.UNPROCESSED)
    def check(number: str, watch: bool, pytest_options: tuple[str, ...]) -> None:
        """Grade a lab on the live system. Exit code 0 pass, 1 fail, 2 not gradable, 3 not attempted."""
        lab = exercise(number)
        code = course.check(number, options=pytest_options)
        while watch:
            course.say("\nWaiting for a save (Ctrl-C ends).")
            seen = [fingerprint(piece.file) for piece in lab.pieces]
            try:
                while seen == [fingerprint(piece.file) for piece in lab.pieces]:
                    time.sleep(WATCH_SECONDS)
            except KeyboardInterrupt:
                break
            code = course.check(number, options=pytest_options, quick=True)
        sys.exit(code)

    @cli.command()
    @number
    def hint(number: str) -> None:
        """One more hint, after a look at what the live system shows."""
        lab = exercise(number)
        known = course.record.of(lab.number)
        for said in running.incidents(backend, lab.units, time.time() - 600)[-1:]:
            course.say(f"Your code, just now: {said}\n")
        if not running.is_active(home, lab):
            course.say(f"The platform's own code runs. ./lab start {lab.number} makes yours run.\n")
        if first := known.get("first"):
            course.say(f"The first check that does not pass: {first}\n")
        given = int(known.get("hints", 0))
        for hint in lab.hints[given : given + 1]:
            course.say(
                f"Hint {given + 1} of {len(lab.hints)}, step {hint.step} ({lab.steps[hint.step - 1]}):"
            )
            course.say(hint.text)
            course.record.note(lab.number, hints=given + 1)
        if given >= len(lab.hints):
            course.say(f"Those were all the hints. ./lab solution {lab.number} --give-up shows the solution.")

    @cli.command()
    @number
    @click.option("--give-up", is_flag=True, help="Show it before you passed.")
    def solution(number: str, give_up: bool) -> None:
        """The platform's own code, as a difference to yours."""
        lab = exercise(number)
        if not give_up and not course.record.of(lab.number).get("passed_once"):
            raise LabError(f"The solution is shown after a pass, or with: ./lab solution {number} --give-up")
        for piece in lab.pieces:
            mine = piece.file.read_text(encoding="utf-8", errors="replace") if piece.file.exists() else ""
            theirs = piece.source.read_text(encoding="utf-8")
            names = (f"yours/{piece.file.name}", f"platform/{piece.file.name}")
            lines = difflib.unified_diff(mine.splitlines(), theirs.splitlines(), *names, lineterm="")
            course.say("\n".join(lines) or f"{piece.file.name}: no difference.")

    @cli.command("list")
    def list_labs() -> None:
        """All labs: outcome, points, and which code runs."""
        table = Table(box=None, pad_edge=False)
        for column in ("lab", "title", "outcome", "points", "runs"):
            table.add_column(column)
        for lab in exercises():
            known = course.record.of(lab.number)
            points = f"{known['points']}/{known['of']}" if "of" in known else "-"
            runs = "your code" if running.is_active(home, lab) else "platform"
            outcome = known.get("outcome", "-") + ("" if known.get("mine", True) else " (platform)")
            table.add_row(lab.number, lab.title, outcome, points, runs)
        console.print(table)

    @cli.command()
    @click.option("--json", "json_file", type=Path, help="Write it as JSON.")
    @click.option("--junit", "junit_file", type=Path, help="Write it as JUnit XML.")
    @click.option("--html", "html_file", type=Path, help="Write it as a page.")
    def report(json_file: Path | None, junit_file: Path | None, html_file: Path | None) -> None:
        """The last verdicts of all labs."""
        results = {lab.number: course.record.of(lab.number) for lab in exercises()}
        if json_file:
            json_file.write_text(json.dumps(results, indent=1))
        if junit_file:
            write_junit(junit_file, results)
        if html_file:
            write_html(html_file, results)
        for lab in exercises():
            known = results[lab.number]
            points = f"{known.get('points', 0)}/{known.get('of', '?')}"
            outcome = known.get("outcome", "not checked yet")
            course.say(f"{lab.number} {lab.title}: {outcome} {points} {known.get('when', '')}")


def reset_lab(home: Home, console: Console, number: str, yes: bool) -> None:
    """Put the starter back; a copy of the learner's files is kept. Raises LabError."""
    lab = exercise(number)
    if not yes:
        click.confirm(f"Replace your files of lab {lab.number} by the starter?", abort=True)
    for piece in lab.pieces:
        if piece.file.exists():
            kept = running.keep_copy(home, piece.file)
            console.print(f"Your file is kept: {kept}", markup=False, soft_wrap=True)  # to copy and paste
        piece.file.write_text(starter(lab, piece), encoding="utf-8")
    Record(home).note(lab.number, hints=0)
    console.print(f"Lab {lab.number} begins anew.")
