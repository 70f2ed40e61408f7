"""./lab up, down, restart, logs and reset."""

import sys
import time
from pathlib import Path

import click

from lab import options
from lab.backends.protocol import Backend, Unit
from lab.commands import observe
from lab.commands.course import reset_lab
from lab.commands.notebook import reset_notebook
from lab.deadlines import slow
from lab.errors import LabError
from lab.faults.break_ import heal_now
from lab.home import Home
from lab.start import bring_up
from lab.terminal import Console, confirm
from lab.topology import OPTIONAL, UNITS

RESTART_SECONDS = 30.0


def need_running(backend: Backend) -> None:
    """Raise LabError when the system is not running."""
    if not backend.running():
        raise LabError("The system is not running. Start it: ./lab up")


def find(backend: Backend, name: str) -> Unit:
    """Return the unit called `name`."""
    return next(unit for unit in backend.units() if unit.name == name)


def register(cli: click.Group, home: Home, backend: Backend, console: Console) -> None:
    """Add the commands to `cli`."""

    added = "; ".join(f"{name}: {text}" for name, text in options.OPTIONS.items())

    @cli.command()
    @click.option(
        "--with", "names", multiple=True, metavar="OPTION", type=click.Choice(list(options.OPTIONS)),
        help=f"Add a part of the system that is not always needed. {added}.",
    )  # fmt: skip
    def up(names: tuple[str, ...]) -> None:
        """Start the system; install what is missing first."""
        options.choose(names)
        bring_up(home, backend, console)

    @cli.command()
    def down() -> None:
        """Stop the system; its data stays."""
        heal_now(home, backend)
        backend.stop()
        console.print("The system is stopped; its data stays. Delete the data: ./lab reset")

    @cli.command()
    @click.argument(
        "unit",
        metavar="UNIT",
        required=False,
        type=click.Choice([*UNITS, *OPTIONAL, "provision", "supervisor"]),
    )
    @click.option("-f", "--follow", is_flag=True, help="Print new lines until you press Ctrl-C.")
    @click.option("--trace", metavar="ID", help="Instead of UNIT: the lines of one trace, of all units.")
    def logs(unit: str | None, follow: bool, trace: str | None) -> None:
        """Print the last lines of a unit's log. UNIT is a name of ./lab status, provision or supervisor."""
        from lab.follow import print_log

        if trace is not None:
            observe.print_lines(backend, console, trace)
            return
        if unit is None:
            raise LabError("Name a unit, or a trace: ./lab logs UNIT, ./lab logs --trace ID")
        command = backend.log_command(unit, follow)
        if backend.kind == "native" and not Path(command[-1]).exists():
            raise LabError(f"{unit} has no log yet, because it has never run. Start the system: ./lab up")
        sys.stdout.flush()
        sys.exit(print_log(command, console))

    @cli.command()
    @click.argument("unit", metavar="UNIT", type=click.Choice([*UNITS, *OPTIONAL]))
    def restart(unit: str) -> None:
        """Restart one unit. UNIT is a name of ./lab status."""
        before = find(backend, unit).pid
        backend.restart(unit)
        deadline = time.monotonic() + RESTART_SECONDS * slow()
        while (now := find(backend, unit)).state != "running" or now.pid == before:
            if time.monotonic() > deadline:
                raise LabError(
                    f"{unit} was restarted, but its state is '{now.state}'. Find the cause: ./lab logs {unit}"
                )
            time.sleep(0.2)
        console.print(f"{unit} was restarted (pid {now.pid}).")

    @cli.command()
    @click.argument("number", required=False)
    @click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
    @click.option("--notebook", is_flag=True, help="With NUMBER: a fresh copy of that notebook instead.")
    def reset(number: str | None, yes: bool, notebook: bool) -> None:
        """Delete all data; with NUMBER: put the starter of a lab back."""
        if notebook and number is None:
            raise LabError("Which notebook? Name it by its number: ./lab reset 01 --notebook")
        if notebook and number is not None:
            reset_notebook(home, console, number, yes)
            return
        if number is not None:
            reset_lab(home, console, number, yes)
            return
        if not yes:
            confirm("Delete all data of the system?")
        heal_now(home, backend)  # before the record of active faults is deleted: nothing could end them later
        backend.stop()
        backend.delete_data()
        console.print("The data is deleted. ./lab up starts with empty databases.")
