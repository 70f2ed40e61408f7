"""Run a lab's checks for a person at a terminal, show the verdicts by step, and keep them."""

import secrets
import time
from collections.abc import Callable, Iterable
from typing import Any

from lab.backends.protocol import Backend
from lab.course import results, running, steps
from lab.course.exercise import Exercise
from lab.course.grading import Graded, grade
from lab.course.options import lacking
from lab.course.outcome import as_text
from lab.course.partitions import BACK_TO_ONE, why_not
from lab.course.record import Record
from lab.course.saves import Saves
from lab.home import Home
from lab.terminal import Console

WATCH_SECONDS = 0.2
WORDS = {0: "PASS", 1: "FAIL", 2: "NOT GRADABLE", 3: "NOT ATTEMPTED"}


class Checking:
    """Runs a lab's checks once, or after each save, and prints what they found.

    `share` is called after each outcome that was kept; the remark that it returns is printed, '' for none.
    """

    def __init__(
        self, home: Home, backend: Backend, console: Console, record: Record,
        share: Callable[[], str] = lambda: "",
    ) -> None:  # fmt: skip
        self._home, self._backend, self._console, self._record = home, backend, console, record
        self._share = share

    def once(
        self, lab: Exercise, options: tuple[str, ...] = (), seed: int | None = None, *,
        only: Iterable[int] = (), quick: bool = False,
    ) -> int:  # fmt: skip
        """Grade a lab, print the report, keep the outcome, and return the exit code.

        `options` are further options of pytest. `only` holds the steps to judge; () means all. `quick` runs
        the checks that failed before first, and stops after the first check that does not pass.
        """
        if why := lacking(self._backend, lab):
            self._say(f"NOT GRADABLE: {why}")
            return 2
        if why := why_not(self._backend, lab):
            self._say(f"NOT GRADABLE: {why}. To check this lab: {BACK_TO_ONE}")
            return 2
        used = secrets.randbelow(10**6) if seed is None else seed
        only = tuple(only)
        which = f" step {', '.join(map(str, only))}" if only else ""
        self._say(f"checking {lab.number} {lab.title}{which} … (seed {used})")
        began = time.monotonic()
        options_used = (f"--seed={used}", *options)
        graded = grade(self._home, lab, options_used, only=only, quick=quick, told=self._interrupted)
        if graded.verdicts is None:
            self._say(graded.said)
            self._say("NOT GRADABLE: the checks did not run. The lines above tell why.")
            return 2
        self._show(lab, graded.verdicts, time.monotonic() - began, graded.code)
        if graded.code == 1:
            again = f"./lab check {lab.number}" + "".join(f" --step {step}" for step in only)
            self._say(f"Repeat with the same users and data: {again} --seed {used}")
        if not options:  # some of the checks do not decide about the whole lab
            self._keep(lab, graded, used)
        return graded.code

    def watch(
        self, lab: Exercise, options: tuple[str, ...] = (), seed: int | None = None, *,
        only: Iterable[int] = (),
    ) -> int:  # fmt: skip
        """Grade now and after each save, until Ctrl-C, and return the last exit code.

        After a save, the steps that changed are judged first. When they pass, the steps that build on them
        follow.
        """
        saves, code, quick = Saves(self._home, lab), 2, False
        only = tuple(only)
        saves.take()
        rounds: tuple[tuple[int, ...], ...] = (only,)
        while True:
            try:
                code = self._rounds(lab, options, seed, rounds, saves, quick=quick)
                meanwhile = saves.happened()
                self._say(
                    "\nYou saved a file during the checks, so they run again."
                    if meanwhile
                    else "\nWaiting for a save. Ctrl-C ends this command."
                )
                while not saves.happened():
                    time.sleep(WATCH_SECONDS)
            except KeyboardInterrupt:
                return code
            rounds, quick = saves.take(only), True

    def _rounds(
        self, lab: Exercise, options: tuple[str, ...], seed: int | None, rounds: tuple[tuple[int, ...], ...],
        saves: Saves, *, quick: bool,
    ) -> int:  # fmt: skip
        """Judge one group of steps after the other. Stop when one does not pass or a file is saved."""
        code = 2
        for place, chosen in enumerate(rounds):
            code = self.once(lab, options, seed, only=chosen, quick=quick)
            later = [str(step) for some in rounds[place + 1 :] for step in some]
            if code != 0 and later:
                self._say(f"Next, once this passes: step {', '.join(later)}, which may depend on it.")
            if code != 0 or saves.happened():
                break
        return code

    def _interrupted(self) -> None:
        self._say("Ending: the check repairs what it broke. Press Ctrl-C again to end at once.")

    def _keep(self, lab: Exercise, graded: Graded, seed: int) -> None:
        """Write the latest outcome of each step into the record."""
        mine = running.is_active(self._home, lab)
        known = self._record.of(lab.number)
        before = known.get("verdicts", []) if known.get("mine") == mine else []
        if mine:  # a step that passed before the file was reset is open again
            gone = steps.unwritten(lab, running.running_files(self._home, lab))
            before = [verdict for verdict in before if verdict.get("step") not in gone]
        judged = {v["check"] for v in graded.verdicts or []}
        left = [v for v in before if v["check"] not in judged and v["check"] not in
                {other["check"] for other in graded.others}]  # fmt: skip
        verdicts = results.together(lab, before, graded.verdicts or [], [*graded.others, *left])
        outcome = results.overall(v["outcome"] for v in verdicts)
        facts: dict[str, Any] = {
            "outcome": outcome,
            "points": sum(v["points"] for v in verdicts if v["outcome"] == "pass"),
            "of": sum(v["points"] for v in verdicts),
            "steps": results.outcomes(lab, verdicts),
            "first": _first_missed(verdicts),
            "mine": mine,
            "seed": seed,
            "when": time.strftime("%F %T"),
            "verdicts": verdicts,
        }
        if outcome == "pass" and mine:
            facts["passed_once"] = True
        self._record.note(lab.number, **facts)
        if remark := self._share():
            self._say(remark)

    def _show(self, lab: Exercise, verdicts: list[dict[str, Any]], seconds: float, code: int) -> None:
        """Print the verdicts by step. Each is printed once."""
        mine = running.is_active(self._home, lab)
        now = steps.steps_of(lab, running.running_files(self._home, lab))
        shown = results.by_step(now, verdicts)
        for result in shown:
            step = result.step
            runs = step.runs if mine else "the platform's code"
            open_step = mine and step.state is steps.State.OPEN
            outcome = "OPEN" if open_step else result.outcome.upper()
            self._say(f"\nStep {step.number} {step.title}")
            self._say(f"  {outcome}, {result.points} of {result.of} points, {runs}")
            if not open_step:
                self._say(as_text(result.verdicts))
        passed = [v for v in verdicts if v["outcome"] == "pass"]
        points, total = (sum(int(v["points"]) for v in some) for some in (passed, verdicts))
        self._say(f"\n{WORDS[code]}: {len(passed)} of {len(verdicts)} checks, {points} of {total} points,"
                  f" {_whose(now, mine=mine)}, {seconds:.1f} s")  # fmt: skip

    def _say(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)


def _whose(now: list[steps.Step], *, mine: bool) -> str:
    """Return whose code ran, as a short phrase."""
    if not mine or all(step.state is steps.State.OPEN for step in now):
        return "the platform's code"
    if all(step.state is steps.State.WRITTEN and not step.untouched for step in now):
        return "your code"
    written = [str(step.number) for step in now if step.state is steps.State.WRITTEN]
    return f"your code for step {', '.join(written)}" if written else "the platform's code"


def _first_missed(verdicts: list[dict[str, Any]]) -> str:
    """Return the first check that does not pass. A failed one comes before one that was not attempted."""
    missed = [v for v in verdicts if v["outcome"] != "pass"]
    first = [v for v in missed if v["outcome"] == "fail"] or missed
    return str(first[0]["check"]) if first else ""
