"""The job inside a cell: start the system, verify that it is the reference, judge one lab, report.

`python -m lab.classroom.inside OUT` runs as a process of the cell, on the cell's own system.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.backends.choice import chosen
from lab.backends.protocol import Backend
from lab.classroom.job import JOB, Job, Result
from lab.course import running
from lab.course.exercise import exercise
from lab.course.grading import grade
from lab.deadlines import slow
from lab.errors import LabError
from lab.health.examine import lines, problems
from lab.home import Home
from lab.probes.tools import run_tool
from lab.start import bring_up
from lab.terminal import Console

VERIFY_SECONDS = 60.0
LONGEST_SAID = 4000


class Work:
    """One job on the cell's system."""

    def __init__(self, job: Job, home: Home, backend: Backend, out: Path) -> None:
        self._job, self._home, self._backend, self._out = job, home, backend, out
        self.result = Result()

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:  # what fails takes time, too: the estimate of the time left needs it
            self.result.seconds[what] = round(time.monotonic() - began, 2)

    def run(self) -> None:
        """Do the job; an error of the system becomes `trouble` in the result."""
        try:
            with self._timed("up"):
                bring_up(self._home, self._backend, Console())
            with self._timed("verify"):
                self._refuse_other_than_reference()
            if self._job.lab:
                self._judge()
            else:
                self._keep()
        except (LabError, OSError, subprocess.SubprocessError) as error:
            self.result.trouble = f"The system of this submission failed: {error}"
        self.result.write(self._out)

    def _refuse_other_than_reference(self) -> None:
        """Raise LabError when the system differs from the reference before it runs a learner's code."""
        if wrong := lines(problems(self._home, self._backend)):
            raise LabError(f"it differs from its configuration before the judgement: {wrong[0]}")
        if own := running.active(self._home):
            raise LabError(f"it runs files of lab {own[0].number} before the judgement")
        ran = run_tool(self._backend, "feed-verify", within=VERIFY_SECONDS * slow())
        if ran.code != 0:
            last = ran.messages[-1] if ran.messages else "no message"
            raise LabError(f"its data is not consistent before the judgement ({last})")

    def _judge(self) -> None:
        lab = exercise(self._job.lab)
        with self._timed("start"):
            running.use(self._home, self._backend, lab, running.files_of(lab))
        with self._timed("check"):
            self._grade()

    def _grade(self) -> None:
        lab = exercise(self._job.lab)
        ended = threading.Event()
        threading.Thread(target=self._end_late, args=(ended,), daemon=True).start()
        try:
            found = grade(self._home, lab, (f"--seed={self._job.seed}",), only=self._job.steps)
            self.result.verdicts = found.verdicts or []
            self.result.said = found.said[-LONGEST_SAID:]
            if found.verdicts is None:
                self.result.trouble = "The checks did not run."
        except KeyboardInterrupt:
            self.result.timed_out = True
            partial = self._home.root / f"verdicts-{lab.number}.{os.getpid()}"
            if partial.exists():
                self.result.verdicts = json.loads(partial.read_text(encoding="utf-8"))
        finally:
            ended.set()

    def _end_late(self, ended: threading.Event) -> None:
        """End the checks when their time is over, and kill them when they do not end by themselves."""
        if not ended.wait(self._job.seconds):
            os.kill(os.getpid(), signal.SIGINT)
            if not ended.wait(20 * slow()):
                os.kill(os.getpid(), signal.SIGINT)

    def _keep(self) -> None:
        """Stop the system, and copy its data outside: every other cell begins with it."""
        with self._timed("down"):
            self._backend.stop()
        kept = self._out / "stack"
        for name in ("logs", "run"):
            shutil.rmtree(self._home.stack / name, ignore_errors=True)
        subprocess.run(["cp", "-a", "--sparse=always", self._home.stack, kept], check=True)


def main() -> None:
    """Do the job that the folder describes."""
    out = Path(sys.argv[1])
    job = Job.from_json(json.loads((out / JOB).read_text(encoding="utf-8")))
    home = Home.from_environment()
    Work(job, home, chosen(home), out).run()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main()
