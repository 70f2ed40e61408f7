"""Run programs of a check beside the system, with the code that the learner wrote for a service."""

import os
import queue
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import IO, NoReturn

from grading.outcome import wrong
from grading.reach import environment
from grading.stack import home
from grading.system import LATE, eventually
from lab.course.exercise import Exercise
from lab.course.running import code_of
from lab.environment import own
from lab.home import LABS, PLATFORM

READ_SECONDS = 1.0
PART = 64 * 1024
LONGEST_ANSWER = 16 * 1024 * 1024
"""Characters. What a check says to itself is far shorter, and a check may use 1 GiB of memory."""
NO_ANSWER = re.compile(r"Object of type (\w+) is not JSON serializable")
"""What Python says when a check's program got an object from the learner's code that it cannot pass on."""
OTHER_TYPE = (
    "Your function returned an object of another type. `yield` makes a function return a generator, and"
    " `async` a coroutine."
)


def run_module(
    lab: Exercise,
    service: str,
    program: str,
    *arguments: str,
    only: tuple[str, ...] = (),
    answers: int | None = None,
) -> subprocess.Popen[str]:
    """A Python program beside the system, with the same code as `service` and its settings.

    `only`: the modules that are the learner's, so that a mistake in another step's module cannot fail this
    check; all of them if none is named. `answers`: the end of a pipe that takes what the program passes to
    `say(…)`; without it, the program cannot call `say` and its errors are not read. What it prints is
    thrown away: code that prints much must neither block on a full pipe nor mix with an answer.
    """
    files = {module: file for module, file in code_of(home, service).items() if not only or module in only}
    code = ",".join(f"{module}={file}" for module, file in files.items())
    env = {
        **own(), **environment(service), "PYTHONPATH": str(PLATFORM), "PYTHONUNBUFFERED": "1",
        "LAB_CODE_FOLDER": str(LABS), "LAB_CODE": code,
    }  # fmt: skip
    say = (
        f"say = functools.partial(print, file=open({answers}, 'w'), flush=True)\n"
        if answers is not None
        else ""
    )
    lead = (
        "import functools, sys; from civildiy.course_runtime.finder import *\n"
        f"{say}"
        "sys.meta_path.insert(0, LearnerFinder(learner_files(learner_code(''))))\n"
    )
    launcher = [os.environ["LAB_CONFINE"]] if "LAB_CONFINE" in os.environ else []
    return subprocess.Popen(
        [*launcher, sys.executable, "-P", "-c", lead + program, *arguments], env=env, errors="replace",
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, pass_fds=[answers] if answers is not None else [],
        stderr=subprocess.PIPE if answers is not None else subprocess.DEVNULL,
    )  # fmt: skip


class Beside:
    """A program of a check that reads lines, and writes lines to the pipe `answers`."""

    def __init__(self, process: subprocess.Popen[str], answers: IO[str]) -> None:
        self._process = process
        self._lines: queue.Queue[str] = queue.Queue()
        self._errors: deque[str] = deque(maxlen=1)
        assert process.stderr
        # Everything is read, because a full pipe would block the program.
        self._readers = [
            threading.Thread(target=_read_lines, args=(answers, self._lines), daemon=True),
            threading.Thread(target=_read_errors, args=(process.stderr, self._errors), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def tell(self, line: str) -> None:
        """Send the program a line; if it has ended, the next `hear` reports that."""
        assert self._process.stdin
        with suppress(BrokenPipeError):
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def hear(self, what: str, within: float = 10, means: str = LATE) -> str:
        """The next thing that it says, waited for as `what`; `means`: what it means that none comes.

        Raises Wrong when no line comes or the program has ended, NotImplementedError for an unwritten step.
        """

        def look() -> str:
            ended = self._process.poll() is not None
            if ended:
                self._join()
            if self._lines.empty():
                return self._broke(what) if ended else ""
            return self._lines.get_nowait()

        return eventually(look, within=within, what=what, means=means)

    def end(self, what: str, within: float, means: str) -> None:
        """Wait, as `what`, until the program has ended. Raises Wrong; `means` tells what a late end means."""
        eventually(
            lambda: self._process.poll() is not None, within=within, what=what, means=means,
            saw=lambda: "that it still runs",
        )  # fmt: skip

    def _broke(self, what: str) -> NoReturn:
        last = self._errors[-1] if self._errors else f"exit code {self._process.returncode}"
        if "NotImplementedError: Lab " in last:
            raise NotImplementedError(last)
        if other := NO_ANSWER.search(last):
            wrong(f"waited for {what}", expected="a result of the type that the starter names",
                  saw=f"an object of the type {other[1]}", means=OTHER_TYPE)  # fmt: skip
        wrong(f"waited for {what}", expected="an answer", saw=last,
              means="Your module failed before it could answer.")  # fmt: skip

    def _join(self) -> bool:
        """Return whether all output was read; a process of the learner's code may keep the pipes open."""
        for reader in self._readers:
            reader.join(READ_SECONDS)
        return not any(reader.is_alive() for reader in self._readers)

    def close(self) -> None:
        """End the program."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdin
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._join()  # each reader closes its own pipe, at the latest when a process that was left has ended


def _read_lines(pipe: IO[str], lines: "queue.Queue[str]") -> None:
    with pipe:
        for line in iter(partial(pipe.readline, LONGEST_ANSWER), ""):
            lines.put(line.strip())


def _read_errors(pipe: IO[str], lines: "deque[str]") -> None:
    with pipe:
        # In parts of at most PART characters: code may print without ever ending a line.
        for part in iter(partial(pipe.readline, PART), ""):
            if stripped := part.strip():
                lines.append(stripped)


@contextmanager
def beside(
    lab: Exercise, service: str, program: str, *arguments: str, only: tuple[str, ...] = ()
) -> Iterator[Beside]:
    """Run `program` as long as the context lasts; see `run_module`."""
    reads, writes = os.pipe()
    answers = os.fdopen(reads, errors="replace")
    try:
        process = run_module(lab, service, program, *arguments, only=only, answers=writes)
    except BaseException:
        answers.close()
        raise
    finally:
        os.close(writes)
    running = Beside(process, answers)
    try:
        yield running
    finally:
        running.close()
