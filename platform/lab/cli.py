"""The commands of ./lab.

What only one command needs is imported by that command: all of them together take a second.
"""

import errno
import json
import os
import sys
import time
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from lab.backends.choice import chosen
from lab.backends.protocol import UNITS, Unit
from lab.children import run_to_its_end
from lab.commands import docker as compose_commands
from lab.commands import notebook, operations, status
from lab.commands.course import register, reset_lab
from lab.commands.faults import heal_now
from lab.commands.faults import register as register_faults
from lab.commands.storm import register as register_storm
from lab.course import running
from lab.errors import LabError
from lab.home import REPO, Home
from lab.memory import together
from lab.probes import local_http
from lab.probes.readiness import slow, wait_until_up, waiting_for
from lab.progress import Progress

console = Console(highlight=False)
home = Home.from_environment()
backend = chosen(home)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """CivilDIY Lab: a system of microservices that really runs."""


@cli.command()
def up() -> None:
    """Start the system; installs what is missing first."""
    bring_up()


def bring_up() -> None:
    """Start, wait until all is there, and print the addresses."""
    began = time.monotonic()
    if backend.running() and (other := backend.belongs_elsewhere()):
        console.print(f"The running system belongs to {other}; it is stopped, its data stays.")
        backend.stop()
    if healed := heal_now(home, backend):
        console.print(healed)
    forget_lost()
    with local_http.client(timeout=3) as client:
        if backend.running() and not waiting_for(backend.endpoints(), client):
            console.print("The system is up already. Addresses: ./lab endpoints")
            return
    with Progress(console) as progress:
        progress.say("start", "looking for what is missing")
        backend.start(progress)
        wait_until_up(backend.endpoints(), progress)
    status.print_endpoints(backend, console)
    if backend.remarks():
        console.print(backend.remarks())
    console.print(f"Up in {time.monotonic() - began:.1f} s. Next: ./lab status, ./lab test")


def forget_lost() -> None:
    """Nobody runs files that are gone, or that a killed test left behind."""
    for unit in running.forget_lost(home, backend):
        console.print(f"{unit} runs the platform's code again: the files that it was told to run are gone.")


@cli.command()
def down() -> None:
    """Stop the system; its data stays."""
    heal_now(home, backend)
    backend.stop()
    console.print("The system is down; its data stays. (./lab reset deletes it)")


@cli.command()
@click.argument("unit", type=click.Choice([*UNITS, "provision", "supervisor"]))
@click.option("-f", "--follow", is_flag=True, help="Go on until Ctrl-C.")
def logs(unit: str, follow: bool) -> None:
    """Print the last lines of a unit's log."""
    command = backend.log_command(unit, follow)
    sys.stdout.flush()
    os.dup2(1, 2)  # an engine gives back on stderr what a unit wrote there; all of it was asked for
    os.execvp(command[0], command)  # noqa: S606


@cli.command()
@click.argument("unit", type=click.Choice(UNITS))
def restart(unit: str) -> None:
    """Restart one unit."""
    before = find(unit).pid
    backend.restart(unit)
    deadline = time.monotonic() + 30
    while (now := find(unit)).state != "running" or now.pid == before:
        if time.monotonic() > deadline:
            raise LabError(f"{unit} was restarted but is {now.state}. Look: ./lab logs {unit}")
        time.sleep(0.2)
    console.print(f"{unit} was restarted (pid {now.pid}).")


def find(name: str) -> Unit:
    """The unit called `name`."""
    return next(unit for unit in backend.units() if unit.name == name)


@cli.command()
@click.argument("number", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(number: str | None, yes: bool) -> None:
    """Delete the system's data; with a lab's NUMBER: put that lab's starter back."""
    if number:
        reset_lab(home, console, number, yes)
        return
    if not yes:
        click.confirm("Delete all data of the system?", abort=True)
    heal_now(home, backend)  # what was cut off would stay so, and nobody would remember
    backend.stop()
    backend.delete_data()
    console.print("The data is deleted. ./lab up begins anew.")


@cli.command(context_settings={"ignore_unknown_options": True})
@click.option("--full", is_flag=True, help="The long campaigns as well.")
@click.argument("pytest_options", nargs=-1, type=click.UNPROCESSED)
def test(full: bool, pytest_options: tuple[str, ...]) -> None:
    """Pass the system's tests against the running system; starts it first if needed."""
    forget_lost()
    if mine := [lab.number for lab in running.active(home)]:
        stop = "; ".join(f"./lab stop {number}" for number in mine)
        raise LabError(
            f"Your code of lab {', '.join(mine)} runs, and these tests are for the platform's own.\n"
            f"Stop it first ({stop}), or have it graded: ./lab check {mine[0]}"
        )
    bring_up()
    marks = [] if full else ["-m", "not campaign"]
    pytest = [sys.executable, "-m", "pytest"]
    code, _ = run_to_its_end([*pytest, *marks, *pytest_options], REPO)
    if not pytest_options:
        # A run of its own: the checks of the labs have outcomes and exit codes of their own.
        quick = [] if full else ["-m", "not disturbs"]
        code = run_to_its_end([*pytest, "checks", *quick], REPO)[0] or code
    sys.exit(code)


@cli.command()
def doctor() -> None:
    """Look at what can go wrong before it does, and say what to do."""
    from lab.doctor import examine

    remedies = []
    for finding in examine(home, backend):
        mark = "LOOK" if finding.remedy else "ok"
        console.print(f"{mark:<5} {finding.what}: {finding.seen}", markup=False)
        if finding.remedy:
            remedies.append(f"{finding.what}: {finding.remedy}")
    if remedies:
        raise LabError("What to do:\n" + "\n".join(f"  {remedy}" for remedy in remedies))
    console.print("Nothing stands in the way. Next: ./lab up")


@cli.command()
def demo() -> None:
    """Follow one post through the whole system."""
    from lab.demo import story
    from lab.probes.unavailable import AWAY

    need_running()
    try:
        for number, (headline, shown) in enumerate(story(backend.endpoints()), 1):
            console.print(f"\n{number}. {headline}", style="bold", markup=False)
            console.print(shown, markup=False, soft_wrap=False)
    except AWAY as error:
        kind = type(error).__name__
        raise LabError(
            f"A part of the system does not answer ({kind}: {str(error)[:200]}). Look: ./lab status"
        ) from error


def need_running() -> None:
    """Raise LabError when the system is down."""
    if not backend.running():
        raise LabError("The system is not running. Start it: ./lab up")


@cli.command()
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1, 50))
@click.option("--json", "file", default="bench.json", show_default=True, help="Where the figures go.")
def bench(rounds: int, file: str) -> None:
    """Measure latency and throughput beside references from the same run."""
    from lab.bench import TARGETS, measure

    need_running()
    memory = together(backend.units())
    with Progress(console) as progress:
        figures = measure(backend.endpoints(), memory, rounds, progress)
    table = Table(box=None, pad_edge=False)
    for column in ("figure", "measured", "wanted"):
        table.add_column(column, justify="right" if column == "measured" else "left")
    for name, value in figures.items():
        table.add_row(name, f"{value:.2f}", TARGETS.get(name, "(reference)"))
    console.print(table)
    Path(file).write_text(json.dumps(figures, indent=1) + "\n")
    console.print(f"Written to {file}.")


status.register(cli, home, backend, console)
register(cli, home, backend, console)
compose_commands.register(cli, backend, console)
operations.register(cli, backend, console)
register_faults(cli, home, backend, console)
register_storm(cli, home, backend, console)
notebook.register(cli, home, backend, console)


def main() -> None:
    """Run a command; errors that a person can act on come without a traceback."""
    try:
        slow()  # a wrong LAB_SLOW is said before anything begins
        cli()
    except LabError as error:
        console.print(f"{error}", style="bold", markup=False)
        sys.exit(1)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            console.print(f"The disk is full ({home.root}). Look: ./lab doctor", style="bold", markup=False)
            sys.exit(1)
        if not error.filename:
            raise
        console.print(f"{error.filename}: {error.strerror}", style="bold", markup=False)
        sys.exit(1)
