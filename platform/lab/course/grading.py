"""Run a lab's checks as pytest does, in a process of their own, and read what they found."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab import environment
from lab.children import run_to_its_end
from lab.course import running
from lab.course.exercise import CHECKS, Exercise
from lab.home import REPO, Home

QUICK = ("--failed-first", "--exitfirst")


@dataclass(frozen=True)
class Graded:
    """Exit code and verdicts; without verdicts the checks did not run, and `said` tells why."""

    code: int
    verdicts: list[dict[str, Any]] | None
    said: str


def grade(
    home: Home,
    lab: Exercise,
    options: tuple[str, ...] = (),
    *,
    quick: bool = False,
    told: Callable[[], object] = lambda: None,
) -> Graded:
    """Run the checks with more `options` for pytest.

    `quick`: what failed before comes first, and the first check that does not pass is the last.
    `told` is called after a first Ctrl-C, while the check cleans up.
    """
    home.root.mkdir(parents=True, exist_ok=True)
    file = home.root / f"verdicts-{lab.number}.json"
    mine = file.with_suffix(f".{os.getpid()}")  # the same lab may be checked twice at once
    mine.unlink(missing_ok=True)
    command = [
        *environment.pytest_command(), f"--confcutdir={CHECKS}",
        "-q", "--no-header", "--tb=no", "-rN", "--no-summary",
        # What failed last is not kept in the repository, which JupyterLab's container may only read.
        "-o", f"cache_dir={home.root / 'pytest'}", f"--verdicts={mine}",
        *options, *(QUICK if quick else ()), str(lab.checks),
    ]  # fmt: skip
    # An option may be a plugin's: -n 2.
    plain = all(option.startswith("--seed") for option in options)
    env = environment.own() | (running.NO_PLUGINS if plain else {})
    file.unlink(missing_ok=True)
    code, said = run_to_its_end(command, REPO, env=env, kept=True, interrupted=told)
    verdicts = None
    if mine.exists():
        verdicts = json.loads(mine.read_text())
        mine.replace(file)
    return Graded(code, verdicts, said.decode(errors="replace"))
