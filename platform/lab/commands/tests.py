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
    """Add the command."""

    @cli.command(context_settings={"ignore_unknown_options": True})
    @click.option("--full", is_flag=True, help="The long campaigns as well.")
    @click.argument("pytest_options", nargs=-1, type=click.UNPROCESSED)
    def test(full: bool, pytest_options: tuple[str, ...]) -> None:
        """Pass the system's tests against the running system; starts it first if needed."""
        forget_lost(home, backend, console)
        if mine := [lab.number for lab in running.active(home)]:
            stop = "; ".join(f"./lab stop {number}" for number in mine)
            raise LabError(
                f"Your code of lab {', '.join(mine)} runs, and these tests are for the platform's own.\n"
                f"Stop it first ({stop}), or have it graded: ./lab check {mine[0]}"
            )
        bring_up(home, backend, console)
        marks = [] if full else ["-m", "not campaign"]
        pytest = environment.pytest_command()
        env = environment.own()
        code, _ = run_to_its_end([*pytest, *marks, *pytest_options], REPO, env=env)
        if not pytest_options:
            # A run of its own: the checks of the labs have outcomes and exit codes of their own.
            quick = [] if full else ["-m", "not disturbs"]
            code = run_to_its_end([*pytest, "checks", *quick], REPO, env=env)[0] or code
        sys.exit(code)
