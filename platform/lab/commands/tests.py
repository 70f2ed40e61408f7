"""./lab test: the system's own tests."""

import os
import sys

import click

from lab import environment, options
from lab.backends.protocol import Backend
from lab.children import run_to_its_end
from lab.course import running
from lab.errors import LabError
from lab.home import REPO, Home
from lab.start import bring_up, forget_lost
from lab.terminal import Console

MOST_WORKERS = 4
"""Unit tests gain little beyond this, and each worker takes 150 MB."""
QUICK = "not campaign and not thorough"
"""What `./lab test` runs within ten minutes; .ci/run adds the thorough tests."""


def register(cli: click.Group, home: Home, backend: Backend, console: Console) -> None:
    """Add the command to `cli`."""

    @cli.command(context_settings={"ignore_unknown_options": True})
    @click.option("--full", is_flag=True, help="Also run the long campaigns.")
    @click.argument("pytest_options", nargs=-1, type=click.UNPROCESSED)
    def test(full: bool, pytest_options: tuple[str, ...]) -> None:
        """Run the platform's tests. Start the system first if needed."""
        forget_lost(home, backend, console)
        if learners := [lab.number for lab in running.active(home)]:
            stop = "; ".join(f"./lab stop {number}" for number in learners)
            raise LabError(
                f"Your code for lab {', '.join(learners)} is running; ./lab test needs the platform's code.\n"
                f"Stop your code first ({stop}), or have it graded: ./lab check {learners[0]}"
            )
        bring_up(home, backend, console)
        marks = [] if full else ["-m", QUICK]
        pytest = environment.pytest_command()
        env = environment.own()
        if pytest_options:
            sys.exit(run_to_its_end([*pytest, *marks, *pytest_options], REPO, env=env)[0])
        quick = [] if full else ["-m", "not disturbs"]
        # Unit tests need no system, so they run side by side; the others share one, so they run in turn.
        parts = (
            ("Unit tests", ["tests/unit", "-n", str(min(os.cpu_count() or 1, MOST_WORKERS)), *marks]),
            ("The running system", ["tests", "--ignore=tests/unit", *marks]),
            # A separate run, because the checks of the labs have outcomes and exit codes of their own.
            ("The checks of the labs, on the platform's code", ["checks", *quick]),
        )
        codes = []
        for number, (title, words) in enumerate(parts, 1):
            console.print(f"\n{number} of {len(parts)}: {title}")
            codes.append(run_to_its_end([*pytest, *words], REPO, env=env)[0])
        if full:
            # Last, because it starts the system again, with servers that must be compiled once.
            console.print("\nThe option observability")
            options.choose(["observability"])
            bring_up(home, backend, console)
            for checked in ("tests/observability", "checks/test_09_observability.py"):
                codes.append(run_to_its_end([*pytest, checked], REPO, env=env)[0])
        sys.exit(next(filter(None, codes), 0))
