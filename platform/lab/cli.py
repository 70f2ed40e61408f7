"""The commands of ./lab.

A module that only one command needs is imported inside that command: importing all of them takes a second.
"""

import errno
import sys

import click

from lab.backends.choice import chosen
from lab.commands import (
    classroom,
    examine,
    measure,
    notebook,
    observe,
    operations,
    site,
    status,
    system,
    tests,
)
from lab.commands import docker as compose_commands
from lab.commands.class_overview import register as register_class_overview
from lab.commands.course import register as register_course
from lab.commands.faults import register as register_faults
from lab.commands.storm import register as register_storm
from lab.deadlines import slow
from lab.failures import sentence
from lab.home import Home
from lab.start import bring_up
from lab.terminal import Console, flush_output, output_failed

__all__ = ["backend", "bring_up", "cli", "console", "home", "main"]

console = Console()
home = Home.from_environment()
backend = chosen(home)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--as", "name", metavar="NAME", help="Use the system of this name, beside others on this machine."
)
def cli(name: str | None) -> None:  # lab.tenant takes the option out before; it is here for --help
    """CivilDIY Lab: run, break and repair a real system of microservices."""


system.register(cli, home, backend, console)
tests.register(cli, home, backend, console)
examine.register(cli, home, backend, console)
measure.register(cli, home, backend, console)
status.register(cli, home, backend, console)
register_course(cli, home, backend, console)
compose_commands.register(cli, backend, console)
operations.register(cli, backend, console)
observe.register(cli, backend, console)
register_faults(cli, home, backend, console)
register_storm(cli, home, backend, console)
notebook.register(cli, home, backend, console)
classroom.register(cli, home, backend, console)
site.register(cli, console)
register_class_overview(cli, home, console)


def main() -> None:
    """Run a command. An error is printed as a sentence that says what to do, never as a traceback."""
    try:
        try:
            slow()  # a wrong LAB_SLOW is reported before anything begins
            cli(prog_name="./lab")
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.EBADF:
                raise  # the output was closed before ./lab started
            console.print(sentence(error, home), style="bold", soft_wrap=True)
            sys.exit(1)
        finally:
            flush_output()
    except OSError as error:  # the sentence cannot be printed: the output itself fails
        sys.exit(output_failed(error))
