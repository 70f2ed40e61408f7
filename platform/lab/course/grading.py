"""Run a lab's checks with pytest in a separate process, and read their verdicts."""

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from lab import environment
from lab.children import run_to_its_end
from lab.course import running
from lab.course.exercise import CHECKS, Exercise
from lab.home import REPO, Home

QUICK = ("--failed-first", "--exitfirst")


@dataclass(frozen=True)
class Graded:
    """The exit code and the verdicts of one run.

    `verdicts` is None when the checks did not run; `said` is what pytest printed. `others` holds the check,
    title, step and points of each check whose step was not asked for.
    """

    code: int
    verdicts: list[dict[str, Any]] | None
    said: str
    others: list[dict[str, Any]] = field(default_factory=list)


def grade(
    home: Home,
    lab: Exercise,
    options: tuple[str, ...] = (),
    *,
    only: Iterable[int] = (),
    quick: bool = False,
    told: Callable[[], object] = lambda: None,
) -> Graded:
    """Run the checks of a lab and return what they found.

    `options` are further options of pytest. `only` holds the steps to judge; () means all. `quick` runs the
    checks that failed before first, and stops after the first check that does not pass. `told` is called
    after a first Ctrl-C, while the check cleans up.
    """
    home.root.mkdir(parents=True, exist_ok=True)
    file = home.root / f"verdicts-{lab.number}.json"
    file_of_run = file.with_suffix(f".{os.getpid()}")  # the same lab may be checked twice at once
    file_of_run.unlink(missing_ok=True)
    command = [
        *environment.pytest_command(), f"--confcutdir={CHECKS}",
        "-q", "--no-header", "--tb=no", "-rN", "--no-summary",
        # What failed last is not kept in the repository, which JupyterLab's container may only read.
        "-o", f"cache_dir={home.root / 'pytest'}", f"--verdicts={file_of_run}",
        *(f"--step={step}" for step in only), *options, *(QUICK if quick else ()), str(lab.checks),
    ]  # fmt: skip
    # An option may be a plugin's: -n 2.
    plain = all(option.startswith("--seed") for option in options)
    env = environment.own() | (running.NO_PLUGINS if plain else {})
    file.unlink(missing_ok=True)
    code, output = run_to_its_end(command, REPO, env=env, kept=True, interrupted=told)
    text = output.decode(errors="replace")
    if not file_of_run.exists():
        return Graded(code, None, text)
    verdicts = json.loads(file_of_run.read_text())
    file_of_run.replace(file)
    rest = file_of_run.with_name(f"{file_of_run.name}.others")
    others = json.loads(rest.read_text()) if rest.exists() else []
    rest.unlink(missing_ok=True)
    return Graded(code, verdicts, text, others)
