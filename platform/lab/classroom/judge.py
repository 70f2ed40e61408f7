"""Judge a folder of submissions, one lab of one submission after the other, each in a cell of its own.

Every cell starts a system with a copy of the reference data, so each lab begins with the reference, and the
cell verifies that. An outcome is written when it is known: a run that is stopped goes on where it ended.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.classroom import cells, graders
from lab.classroom.course_file import Course, CourseLab
from lab.classroom.job import Job
from lab.classroom.judged import Judged, Listed, from_result, not_begun
from lab.classroom.submission import Submission, below_labs
from lab.course.starter import starter
from lab.errors import LabError
from lab.home import Home

ATTEMPTS = 2
"""A busy machine may make a check not gradable, or let a right solution run into a timeout. Then a lab is
judged a second time, in a new system, before that is the outcome."""
BUSY_LOAD = 5
"""Processes for each core that want to run; a cell alone stays below it."""
NOT_BEGUN = "The file is still the starter, or it was not submitted."


@dataclass(frozen=True)
class Task:
    """One lab of one submission."""

    submission: Submission
    lab: CourseLab

    @property
    def file(self) -> str:
        """The name of the file with its outcome."""
        return f"{self.submission.id}-{self.lab.number}.json"


class Judge:
    """Judges tasks on cells, with the reference that `prepare` makes."""

    def __init__(
        self, home: Home, course: Course, out: Path, archives: Path, seed: int, *, second_user: bool = False
    ) -> None:
        self._home, self._course, self._seed, self._second_user = home, course, seed, second_user
        self._kept = out / "judged"
        self._hidden = (str(home.root), str(out.resolve()), str(archives.resolve()))
        self._graders = graders.fingerprint()
        self._reference = home.root / "class" / "reference"
        self.checks: Listed = []

    def tasks(self, submissions: list[Submission]) -> list[Task]:
        """Return what is to be judged, person by person."""
        return [Task(one, lab) for one in submissions for lab in self._course.labs]

    def list_checks(self) -> None:
        """Read the checks of the course and their points from the graders. Raises LabError."""
        self.checks = graders.listed()

    def prepare(self) -> float:
        """Make the reference: a system that was started once and verified. Returns its seconds.

        Raises LabError when the system is not healthy, or when the kernel refuses a cell.
        """
        result = cells.run(self._home, self._job(), {}, self._course.limits.memory_mb, keep=self._reference)
        if result.trouble or not self._reference.is_dir():
            raise LabError(
                f"The reference system cannot be made. {result.trouble}\nCheck the machine: ./lab doctor"
            )
        return sum(result.seconds.values())

    def _job(self, lab: CourseLab | None = None) -> Job:
        limits = self._course.limits
        return Job(
            lab=lab.number if lab else "", steps=lab.steps if lab else (), seed=self._seed,
            seconds=limits.minutes * 60, reference=str(self._reference) if lab else "",
            processes=limits.processes, disk_mb=limits.disk_mb, hide=self._hidden,
            second_user=self._second_user,
        )  # fmt: skip

    def known(self, task: Task) -> Judged | None:
        """Return the outcome of an earlier run, if nothing that decides about it has changed.

        A lab that was not gradable is judged again: the machine may be less busy now.
        """
        found = Judged.read(self._kept / task.file)
        if found is None or found.key != self._key(task) or found.outcome == "not gradable":
            return None
        return found

    def judge(self, task: Task) -> Judged:
        """Judge one lab of one submission, and keep the outcome. Raises LabError for altered graders."""
        if not (files := changed_files(task)):
            found = not_begun(task.submission.id, task.lab, self.checks, NOT_BEGUN)
        else:
            found = self._in_cells(task, files)
        if graders.fingerprint() != self._graders:
            raise LabError(
                f"The graders or the platform changed while lab {task.lab.number} of"
                f" {task.submission.archive} was judged, so this outcome is not kept."
                "\nSee what changed: git status. Restore it, then continue: --resume"
            )
        found.key, found.seed = self._key(task), self._seed
        self._kept.mkdir(parents=True, exist_ok=True)
        found.write(self._kept / task.file)
        return found

    def _in_cells(self, task: Task, files: dict[str, bytes]) -> Judged:
        limits, seconds = self._course.limits, 0.0
        for attempt in range(1, ATTEMPTS + 1):
            result = cells.run(self._home, self._job(task.lab), files, limits.memory_mb)
            found = from_result(task.submission.id, task.lab, self.checks, result, limits.minutes)
            found.attempts = attempt
            if found.outcome != "not gradable" and not (found.outcome == "fail" and busy()):
                break
            seconds += found.took
        found.seconds["earlier attempts"] = round(seconds if attempt > 1 else 0.0, 2)
        return found

    def _key(self, task: Task) -> str:
        decides = json.dumps(
            [
                self._graders, self._seed, asdict(self._course.limits), task.lab.steps,
                {n: hashlib.sha256(text).hexdigest() for n, text in sorted(task.submission.files.items())},
            ]
        )  # fmt: skip
        return hashlib.sha256(decides.encode()).hexdigest()[:16]


def busy() -> str:
    """Return a sentence when other programs keep this machine busy; '' otherwise."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load <= BUSY_LOAD * cores:
        return ""
    return (
        f"Other programs keep this machine busy (load {load:.0f} on {cores} cores). Stop them: right"
        " solutions can run into timeouts. A lab that fails meanwhile is judged twice."
    )


def changed_files(task: Task) -> dict[str, bytes]:
    """Return the files of a lab, with the starter for each missing one; {} when all are starters."""
    lab = task.lab.exercise
    starters = {below_labs(piece): starter(lab, piece).encode() for piece in lab.pieces}
    files = starters | task.submission.files_of(lab)
    return {} if files == starters else files


class Clock:
    """Estimates the time that is left, from the time that each lab took so far."""

    def __init__(self, tasks: list[Task]) -> None:
        self._left = [task.lab.number for task in tasks if changed_files(task)]
        self._took: dict[str, list[float]] = {}

    def done(self, task: Task, seconds: float) -> None:
        """Count a task that is done, if it had to be judged."""
        if not changed_files(task):
            return
        self._left.remove(task.lab.number)
        self._took.setdefault(task.lab.number, []).append(seconds)

    def left(self) -> float | None:
        """Return the estimated seconds; None before the first measurement."""
        every = [seconds for some in self._took.values() for seconds in some]
        if not every:
            return None
        mean = {number: sum(some) / len(some) for number, some in self._took.items()}
        return sum(mean.get(number, sum(every) / len(every)) for number in self._left)


def run(judge: Judge, tasks: list[Task], told: Callable[[Task, Judged, Clock], None]) -> Iterator[Judged]:
    """Judge all tasks, and yield each outcome when it is known; `told` is called after each new one."""
    clock = Clock(tasks)
    for task in tasks:
        began = time.monotonic()
        found = judge.judge(task)
        clock.done(task, time.monotonic() - began)
        told(task, found, clock)
        yield found
