"""The commands of the labs: start, stop, task, check, hint, solution, list, report."""

import difflib
import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.markdown import Markdown

from lab.backends.protocol import Backend
from lab.classroom import sharing
from lab.course import hints, live, running, steps
from lab.course.checking import Checking
from lab.course.exercise import exercise, exercises
from lab.course.options import must_have
from lab.course.record import Record
from lab.course.report import write_html, write_junit
from lab.course.starter import starter
from lab.errors import LabError
from lab.home import Home
from lab.terminal import Console, confirm, print_rows


class Course:
    """The objects that every command of a lab needs: home, backend, console and record."""

    def __init__(self, home: Home, backend: Backend, console: Console) -> None:
        self.home, self.backend, self.console = home, backend, console
        self.record = Record(home)

    def say(self, text: str) -> None:
        """Print one line for the learner."""
        self.console.print(text)

    def known(self) -> Record:
        """Return the record of the learner's results; print a warning first if its file is damaged."""
        if self.record.remark:
            self.say(f"{self.record.remark}\n")
        return self.record


def register(cli: click.Group, home: Home, backend: Backend, console: Console) -> None:
    """Add the commands to `cli`."""
    course = Course(home, backend, console)
    number = click.argument("number")

    @cli.command()
    @number
    def start(number: str) -> None:
        """Make the running system use your code for this lab."""
        lab = exercise(number)
        must_have(backend, lab)
        for piece in lab.pieces:
            if not os.path.lexists(piece.file):
                put(piece.file, starter(lab, piece))
        running.use(home, backend, lab, running.files_of(lab))
        for piece in lab.pieces:
            course.say(f"{_run(piece.units)} labs/{piece.file.parent.name}/{piece.file.name},"
                       f" merged with {piece.module}")  # fmt: skip
        course.say("The platform's own code runs for each step until you write it.")
        course.say(f"Next: ./lab task {lab.number}, write, ./lab check {lab.number} --watch")

    @cli.command()
    @number
    def stop(number: str) -> None:
        """Make the system use the platform's own code again. Your files stay."""
        lab = exercise(number)
        running.use(home, backend, lab, None)
        for unit in lab.units:
            for file in running.code_of(home, unit).values():
                course.say(f"{unit} still runs labs/{file}, which belongs to another lab.")
        if back := [unit for unit in lab.units if not running.code_of(home, unit)]:
            course.say(f"{_run(back)} the platform's own code again. Your files stay.")

    @cli.command()
    @number
    def task(number: str) -> None:
        """Show the page of a lab: what to do, step by step."""
        console.print(Markdown((exercise(number).folder / "README.md").read_text(encoding="utf-8")))

    @cli.command(context_settings={"ignore_unknown_options": True})
    @number
    @click.option(
        "--watch", is_flag=True, help="Check again each time you save the file, first what changed."
    )
    @click.option("--step", type=int, multiple=True, help="Judge only this step; may be repeated.")
    @click.option("--seed", type=click.IntRange(0), help="Repeat a run with the same users and data.")
    @click.argument("pytest_options", nargs=-1, type=click.UNPROCESSED)
    def check(
        number: str, watch: bool, step: tuple[int, ...], seed: int | None, pytest_options: tuple[str, ...]
    ) -> None:
        """Grade your code for a lab, step by step, on the running system.

        Exit code 0: passed; 1: failed; 2: not gradable, because the system itself has a problem;
        3: not attempted, because no code is written yet. A lab is passed when all its steps are.
        """
        lab = exercise(number)
        for chosen in step:
            hints.refuse_unknown(lab, chosen)
        checking = Checking(home, backend, console, course.known(), lambda: sharing.after_check(home))
        run = checking.watch if watch else checking.once
        sys.exit(run(lab, pytest_options, seed, only=step))

    @cli.command()
    @number
    @click.option("--step", type=int, help="Show a hint for this step instead of the current one.")
    def hint(number: str, step: int | None) -> None:
        """Show what the system reveals about your code, then a hint."""
        lab = exercise(number)
        known = course.known().of(lab.number)
        now = steps.steps_of(lab, running.running_files(home, lab))
        gaps = steps.open_of(lab, now)
        following = hints.following(lab, known, gaps, step)
        for finding in live.findings(home, backend, lab, begun=len(gaps) < len(lab.steps)):
            course.console.print(f"- {finding}", soft_wrap=True)  # commands in it are to be copied
        for why in dict.fromkeys(state.why for state in now if state.why):
            course.console.print(f"- {why}", soft_wrap=True)
        if gaps:
            course.say(f"- Not written yet: {', '.join(f'step {n}' for n in gaps)}.")
        if first := known.get("first"):
            titles = {v["check"]: v["title"] for v in known.get("verdicts", [])}
            course.say(f"- The first check that does not pass: {titles.get(first, first)}")
        here = f"step {following.step} ({lab.steps[following.step - 1]})"
        if following.hint is None:
            course.say(f"\nYou have seen all {following.given} hints for {here}.")
            course.say(f"A hint for another step: ./lab hint {lab.number} --step N")
            course.say(f"The solution: ./lab solution {lab.number} --give-up")
            return
        count = following.given + 1
        course.say(f"\nHint {count} of {len(following.of_step)} for {here}:\n{following.hint.text}")
        course.record.note(lab.number, hints=hints.given(known) | {str(following.step): count})

    @cli.command()
    @number
    @click.option("--give-up", is_flag=True, help="Show the solution before you have passed.")
    def solution(number: str, give_up: bool) -> None:
        """Show the platform's own code as a diff against yours."""
        lab = exercise(number)
        if not give_up and not course.known().of(lab.number).get("passed_once"):
            raise LabError(
                f"You have not passed lab {lab.number} yet, so its solution is hidden."
                f" Show it anyway: ./lab solution {number} --give-up"
            )
        for piece in lab.pieces:
            yours = piece.file.read_text(encoding="utf-8", errors="replace") if piece.file.exists() else ""
            platforms = piece.source.read_text(encoding="utf-8")
            names = (f"yours/{piece.file.name}", f"platform/{piece.file.name}")
            lines = difflib.unified_diff(yours.splitlines(), platforms.splitlines(), *names, lineterm="")
            course.say("\n".join(lines) or f"{piece.file.name}: your file equals the platform's.")

    @cli.command("list")
    def list_labs() -> None:
        """List all labs with their outcome, points, and whose code runs."""
        record = course.known()
        rows = []
        for lab in exercises():
            known = record.of(lab.number)
            points = f"{known['points']}/{known['of']}" if "of" in known else "-"
            passed = list(known.get("steps", {}).values()).count("pass")
            done = f"{passed} of {len(lab.steps)}" if "steps" in known else "-"
            runs = "platform"
            if running.is_active(home, lab):
                written = [str(n) for n in steps.own_code(lab, running.running_files(home, lab))]
                runs = f"your step {', '.join(written)}" if written else "platform (started)"
            outcome = known.get("outcome", "-") + ("" if known.get("mine", True) else " (platform)")
            rows.append((lab.number, lab.title, outcome, done, points, runs))
        heads = ("lab", "title", "outcome", "steps", "points", "runs")
        print_rows(console, heads, rows, whole=("lab", "outcome", "steps", "points", "runs"))

    @cli.command()
    @click.option("--json", "json_file", type=Path, help="Also write the report to this file, as JSON.")
    @click.option(
        "--junit", "junit_file", type=Path, help="Also write the report to this file, as JUnit XML."
    )
    @click.option("--html", "html_file", type=Path, help="Also write the report to this file, as a web page.")
    def report(json_file: Path | None, junit_file: Path | None, html_file: Path | None) -> None:
        """Print the latest result of every lab."""
        record = course.known()
        results = {lab.number: record.of(lab.number) for lab in exercises()}
        if json_file:
            json_file.write_text(json.dumps(results, indent=1), encoding="utf-8")
        if junit_file:
            write_junit(junit_file, results)
        if html_file:
            write_html(html_file, results)
        for lab in exercises():
            known = results[lab.number]
            points = f"{known.get('points', 0)}/{known.get('of', '?')}"
            outcome = known.get("outcome", "not checked yet")
            course.say(f"{lab.number} {lab.title}: {outcome} {points} {known.get('when', '')}")
            for step, said in known.get("steps", {}).items():
                if 1 <= int(step) <= len(lab.steps):  # an earlier version of the lab may have had more
                    course.say(f"   step {step} {lab.steps[int(step) - 1]}: {said}")


def reset_lab(home: Home, console: Console, number: str, yes: bool) -> None:
    """Replace the learner's files by the starters, and keep a copy of each. Raises LabError."""
    lab = exercise(number)
    if not yes:
        confirm(f"Replace your files of lab {lab.number} with the starter?")
    for piece in lab.pieces:
        if os.path.lexists(piece.file):
            kept = running.keep_copy(home, piece.file)
            console.print(f"A copy of your file is in {kept}", soft_wrap=True)  # to copy and paste
        put(piece.file, starter(lab, piece))
    Record(home).note(lab.number, hints={})
    console.print(f"Lab {lab.number} starts from scratch.")


def _run(units: Sequence[str]) -> str:
    """Return the subject and the verb: "posts runs", or "posts and posts-relay run"."""
    *first, last = units
    return f"{', '.join(first)} and {last} run" if first else f"{last} runs"


def put(file: Path, text: str) -> None:
    """Write a learner's file. If a symbolic link is there, replace the link and leave its target alone."""
    if file.is_symlink():
        file.unlink()
    elif file.is_dir():
        shutil.rmtree(file)
    file.write_text(text, encoding="utf-8")
