"""Checks as a person meets them: run, shown, kept, and run again after each save."""

import secrets
import time
from typing import Any

from civildiy.course_runtime.finder import fingerprint
from lab.backends.protocol import Backend
from lab.course import running
from lab.course.exercise import Exercise
from lab.course.grading import grade
from lab.course.record import Record
from lab.home import Home
from lab.terminal import Console

WATCH_SECONDS = 0.2
WORDS = {0: "PASS", 1: "FAIL", 2: "NOT GRADABLE", 3: "NOT ATTEMPTED"}


class Checking:
    """Runs a lab's checks for a person at a terminal."""

    def __init__(self, home: Home, backend: Backend, console: Console, record: Record) -> None:
        self._home, self._backend, self._console, self._record = home, backend, console, record

    def once(
        self, lab: Exercise, options: tuple[str, ...] = (), seed: int | None = None, *, quick: bool = False
    ) -> int:
        """Grade a lab; prints the report, keeps the outcome, returns the exit code.

        `options` are more of pytest's. `quick`: what failed before comes first, and the first check that
        does not pass is the last.
        """
        used = secrets.randbelow(10**6) if seed is None else seed
        self._say(f"checking {lab.number} {lab.title} … (seed {used})")
        began = time.monotonic()
        graded = grade(self._home, lab, (f"--seed={used}", *options), quick=quick, told=self._interrupted)
        code, verdicts = graded.code, graded.verdicts
        if verdicts is None:
            self._say(graded.said)
            self._say("NOT GRADABLE: the checks did not run (see above).")
            return 2
        # No run ends at what JupyterLab cannot grade.
        cut_short = quick and code != 0 and not (self._backend.kind == "inside" and code == 2)
        self._show(lab, verdicts, time.monotonic() - began, code, cut_short=cut_short)
        if code == 1:
            self._say(f"The same people and data again: ./lab check {lab.number} --seed {used}")
        # A part of the checks says nothing about the lab.
        if not options and not (quick and code != 0):
            self._keep(lab, verdicts, code, used)
        elif not options:
            self._record.note(lab.number, first=_first_missed(verdicts))
        return code

    def watch(self, lab: Exercise, options: tuple[str, ...] = (), seed: int | None = None) -> int:
        """Grade now and after each save, until Ctrl-C; returns the last exit code."""
        code, quick = 2, False
        while True:
            seen = _saved(lab)  # before the checks: what is saved while they run is graded next
            try:
                code = self.once(lab, options, seed, quick=quick)
                if seen == _saved(lab):
                    self._say("\nWaiting for a save (Ctrl-C ends).")
                else:
                    self._say("\nSaved meanwhile: once more.")
                while seen == _saved(lab):
                    time.sleep(WATCH_SECONDS)
            except KeyboardInterrupt:
                return code
            quick = True

    def _interrupted(self) -> None:
        self._say("Ending: the check puts back what it broke. Ctrl-C again ends it at once.")

    def _keep(self, lab: Exercise, verdicts: list[dict[str, Any]], code: int, seed: int) -> None:
        mine = running.is_active(self._home, lab)
        facts = {
            "outcome": WORDS[code].lower(),
            "points": sum(v["points"] for v in verdicts if v["outcome"] == "pass"),
            "of": sum(v["points"] for v in verdicts),
            "first": _first_missed(verdicts),
            "mine": mine,
            "seed": seed,
            "when": time.strftime("%F %T"),
            "verdicts": verdicts,
        }
        if code == 0 and mine:
            facts["passed_once"] = True
        self._record.note(lab.number, **facts)

    def _show(
        self, lab: Exercise, verdicts: list[dict[str, Any]], seconds: float, code: int, *, cut_short: bool
    ) -> None:
        from grading.outcome import as_text  # the checks lie outside this package

        self._console.print(as_text(verdicts), soft_wrap=True)
        passed = [v for v in verdicts if v["outcome"] == "pass"]
        mine = "your code" if running.is_active(self._home, lab) else "the platform's code"
        if cut_short:
            self._say(f"\n{WORDS[code]}: stopped at the first check that does not pass, {len(passed)} passed"
                      f" before it, {mine}, {seconds:.1f} s.")  # fmt: skip
            self._say(f"All of them: ./lab check {lab.number}")
            return
        points, total = (sum(int(v["points"]) for v in some) for some in (passed, verdicts))
        self._say(f"\n{WORDS[code]}: {len(passed)} of {len(verdicts)} checks, {points} of {total} points,"
                  f" {mine}, {seconds:.1f} s")  # fmt: skip

    def _say(self, text: str) -> None:
        self._console.print(text)


def _saved(lab: Exercise) -> list[str]:
    return [fingerprint(piece.file) for piece in lab.pieces]


def _first_missed(verdicts: list[dict[str, Any]]) -> str:
    """The name of the first check that does not pass; a fail before what is not attempted."""
    missed = [v for v in verdicts if v["outcome"] != "pass"]
    first = [v for v in missed if v["outcome"] == "fail"] or missed
    return str(first[0]["check"]) if first else ""
