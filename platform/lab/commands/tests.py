"""./lab test: the system's own tests."""

import sys

import click

from lab import environment
from lab.backends.protocol import Backend
from lab.children import run_to_its_end
from lab.commands.system import bring_up, forget_lost
from lab.course import running
from lab.errors import LabError
from lab.home import REPO, Home
from lab.terminal import Console


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
        marks = [] if full else ["-m", "not campaign"]
        pytest = environment.pytest_command()
        env = environment.own()
        code, _ = run_to_its_end([*pytest, *marks, *pytest_options], REPO, env=env)
        if not pytest_options:
            # A separate run, because the checks of the labs have outcomes and exit codes of their own.
            quick = [] if full else ["-m", "not disturbs"]
            code = run_to_its_end([*pytest, "checks", *quick], REPO, env=env)[0] or code
        sys.exit(code)
