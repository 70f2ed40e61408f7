"""./lab class check: judge a folder of archives, show the progress, and write the results."""

import json
import os
import platform
import secrets
import signal
import time
from pathlib import Path

from lab.backends.native.guards import allow_enough_files
from lab.classroom import archive, cells, judge, scores, trial
from lab.classroom.course_file import Course
from lab.classroom.exports import write_all
from lab.classroom.judge import Clock, Judge, Task
from lab.classroom.judged import Judged
from lab.classroom.submission import Refused, Submission
from lab.classroom.trial import Trial
from lab.errors import LabError
from lab.home import Home
from lab.install.servers import ensure_servers
from lab.progress import Progress
from lab.terminal import Console
from lab.text import visible

RUN = "run.json"
CLASS = 30
"""People for whom the time is calculated."""
RESULTS_EVERY = 60.0
"""Seconds between two versions of the results while the run goes on."""


class ClassCheck:
    """One run over a folder of archives."""

    def __init__(
        self, home: Home, console: Console, course: Course, labs: tuple[str, ...], folder: Path, out: Path
    ) -> None:
        self._home, self._console, self._course = home, console, course
        self._labs, self._folder, self._out = labs, folder, out
        found = archive.read_folder(folder)
        self._people = [one for one in found if isinstance(one, Submission)]
        self._refused = [one for one in found if isinstance(one, Refused)]
        self._done: list[Judged] = []
        self._written = 0.0

    def run(self, *, resume: bool, seed: int | None) -> int:
        """Judge everything that is not judged yet; return 0, or 1 when something could not be judged."""
        if platform.system() != "Linux":
            raise LabError(
                "Submissions are judged in namespaces of Linux, which this system does not have."
                " Run ./lab class check on a Linux machine, or in a virtual machine with Linux."
            )
        if not self._people and not self._refused:
            raise LabError(f"{visible(self._folder)} contains no archive. Name the folder with the archives.")
        allowed = trial.tried(self._home) if self._people else Trial()
        if allowed.refusal:
            raise LabError(allowed.refusal)
        used = self._seed(resume, seed)
        for one in self._refused:
            self._say(f"refused: {one.archive}: {one.why}")
        for line in self._course.unmatched([one.name for one in self._people]):
            self._say(line)
        if self._people:
            with cells.one_at_a_time(self._home):
                self._judge_all(used, allowed)
        self._write("The run is complete.")
        for line in times(self._done):
            self._say(line)
        self._say(f"\nResults: {(self._out / 'results.html').absolute()}")
        self._say("The same as tables: results.csv, results.json, nbgrader.csv, canvas.csv, moodle.csv")
        return 1 if self._refused or any(one.outcome == "not gradable" for one in self._done) else 0

    def _seed(self, resume: bool, seed: int | None) -> int:
        """Return the seed of this run. Raises LabError for results of an earlier run without --resume."""
        file = self._out / RUN
        if file.exists() and not resume:
            raise LabError(
                f"{visible(self._out)} holds the results of an earlier run."
                "\nContinue that run: --resume. Or start another one beside it: --out FOLDER"
            )
        known = json.loads(file.read_text(encoding="utf-8"))["seed"] if file.exists() else None
        used = next(one for one in (seed, known, secrets.randbelow(10**6)) if one is not None)
        self._out.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"seed": used}), encoding="utf-8")
        return int(used)

    def _judge_all(self, seed: int, allowed: Trial) -> None:
        # Root changes to the second user without the help of the job.
        second = allowed.second_user and os.geteuid() != 0
        judging = Judge(self._home, self._course, self._out, self._folder, seed, second_user=second)
        self._say(f"{len(self._people)} submissions, labs {', '.join(self._labs)}, seed {seed}")
        for line in trial.sentences(allowed):
            self._say(f"  {line}")
        if busy := judge.busy():
            self._say(f"  {busy}")
        allow_enough_files()
        with Progress(self._console) as progress:
            ensure_servers(self._home, progress)
            progress.say("graders", "listing all checks and their points")
            judging.list_checks()
            progress.done("graders", f"{len(judging.checks)} checks")
            unknown = [task for task in judging.tasks(self._people) if not self._known(judging, task)]
            left = [task for task in unknown if task.lab.number in self._labs]
            if left:
                progress.say(
                    "reference", "starting and verifying a fresh system, and keeping a copy of its data"
                )
                judging.prepare()
                progress.done("reference")
        if self._done:
            self._say(f"{len(self._done)} labs of submissions are known from the earlier run")
        of = len(self._done) + len(left)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a background job ignores the first
            signal.signal(number, signal.default_int_handler)
        try:
            for found in judge.run(judging, left, self._told):
                self._done.append(found)
                if time.monotonic() - self._written > RESULTS_EVERY:
                    self._write(f"{len(self._done)} of {of} labs of submissions are judged so far.")
        except KeyboardInterrupt:
            self._write(f"The run was stopped after {len(self._done)} of {of} labs of submissions.")
            self._say(
                f"\nStopped after {len(self._done)} of {of} labs of submissions. Continue: add --resume"
            )
            raise

    def _known(self, judging: Judge, task: Task) -> bool:
        if found := judging.known(task):
            self._done.append(found)
        return found is not None

    def _told(self, task: Task, found: Judged, clock: Clock) -> None:
        """Print a line about a lab that was judged, and how long the rest will take."""
        if not found.seconds and not found.trouble:
            return  # a lab without code; a line for each of them would hide the others
        score = scores.score(task.lab, found)
        left = clock.left() or 0.0
        rest = f"; about {_duration(left)} left" if left >= 1 else ""
        why = f" ({found.trouble.splitlines()[0]})" if found.trouble else ""
        late = " (time limit)" if found.timed_out else ""
        late += f" (at try {found.attempts})" if found.attempts > 1 else ""
        self._say(
            f"{task.submission.name} ({task.submission.archive}), lab {task.lab.number}:"
            f" {found.outcome.upper()}{late}{why}, {score.points:g} of {score.of:g} points,"
            f" {found.took:.0f} s{rest}"
        )

    def _write(self, note: str) -> None:
        rows = scores.rows(self._course, self._people, self._done)
        when = time.strftime("%F %T")
        write_all(self._out, self._course, rows, self._refused, f"{note} Written at {when}.")
        self._written = time.monotonic()

    def _say(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)


def times(done: list[Judged]) -> list[str]:
    """Return how long the labs with code took on average, and how long a class of thirty would take."""
    took: dict[str, list[float]] = {}
    for one in done:
        if one.seconds:
            took.setdefault(one.lab, []).append(one.took)
    mean = {lab: sum(some) / len(some) for lab, some in sorted(took.items())}
    if not mean:
        return []
    each = ", ".join(f"lab {lab} {seconds:.0f} s" for lab, seconds in mean.items())
    whole = _duration(CLASS * sum(mean.values()))
    return [
        f"\nAverage time of a submission: {each}.",
        f"{CLASS} people with code for all of these: {whole}.",
    ]


def _duration(seconds: float) -> str:
    """Return a time span in words: 45 s, 12 min, 3 h 05 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"
