"""./lab break and ./lab heal."""

import re
import time

import click

from lab.backends.protocol import Backend
from lab.commands.observe import need_option
from lab.errors import LabError
from lab.faults import break_, hidden
from lab.faults.catalog import FAULTS, fault, target
from lab.home import Home
from lab.terminal import Console, print_rows

HIDDEN = "hidden"
SECONDS = 10.0


class Seconds(click.ParamType[float]):
    """A duration on the command line: '10', '10s' or '2m'."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the duration in seconds; end the command with an error when it is not one."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m)?", str(value))
        if not match:
            self.fail(f"{value!r} is not a duration; write 10s or 2m", param, ctx)
        seconds = float(match[1]) * (60 if match[2] == "m" else 1)
        if not 0 < seconds <= break_.LONGEST_SECONDS:
            self.fail(f"{value!r} is not between 0 and {break_.LONGEST_SECONDS:.0f} s", param, ctx)
        return seconds


def register(cli: click.Group, home: Home, backend: Backend, console: Console) -> None:
    """Add the commands to `cli`."""

    @cli.command("break")
    @click.argument("name", metavar="FAULT", required=False)
    @click.argument("unit", metavar="[UNIT]", default="")
    @click.option("--for", "seconds", type=Seconds(), default=None,
                  help="How long the fault lasts: 10s by default, and 10m for `hidden`.")  # fmt: skip
    @click.option("--list", "as_list", is_flag=True, help="List all faults and what each one teaches.")
    def break_something(name: str | None, unit: str, seconds: float | None, as_list: bool) -> None:
        """Break a part of the system on purpose. Most faults end by themselves.

        Without FAULT, or with --list, print all faults. Name a UNIT where several are possible. The fault
        `hidden` is one of six, and its name stays secret: lab 09 asks for it.
        """
        if as_list or name is None:
            _print_table(console)
            return
        if name == HIDDEN:
            _break_hidden(home, backend, console, seconds or break_.LONGEST_SECONDS)
            return
        seconds = seconds or SECONDS
        chosen_fault = fault(name)
        victim = target(chosen_fault, unit)
        if not backend.running():
            raise LabError("The system is not running. Start it: ./lab up")
        break_.start(home, backend, chosen_fault, victim, seconds)
        console.print(
            f"{chosen_fault.name} {victim}: {chosen_fault.does}.\nIt teaches: {chosen_fault.teaches}."
        )
        if chosen_fault.lasts:
            at = time.strftime("%H:%M:%S", time.localtime(time.time() + seconds))
            console.print(f"The fault ends by itself at {at}. End it now: ./lab heal")

    @cli.command()
    def heal() -> None:
        """End all active faults."""
        ended = break_.heal_now(home, backend)
        hidden.ended(home)
        console.print(ended or "No fault is active.")


def _break_hidden(home: Home, backend: Backend, console: Console, seconds: float) -> None:
    need_option(backend)
    hidden.start(home, backend, seconds)
    at = time.strftime("%H:%M:%S", time.localtime(time.time() + seconds))
    console.print(
        "Something is broken now, and requests are sent so that you can see it. Find the unit and the kind of"
        " the fault with ./lab trace, ./lab slo, ./lab logs and the dashboards (./lab endpoints).\n"
        f"It ends by itself at {at}. When you know: write it into diagnosis.py, and ./lab check 09 --step 6"
    )


def _print_table(console: Console) -> None:
    rows = []
    for entry in FAULTS:
        units = entry.units[0] if len(entry.units) == 1 else "any"
        marks = "" if entry.lasts else " *"
        marks += "" if "compose" in entry.backends else " (n)"
        rows.append((entry.name + marks, units, entry.does, entry.teaches))
    note = "* happens once; all others end by themselves after --for. (n) only with LAB_BACKEND=native"
    heads = ("fault", "unit", "what it does", "what it teaches")
    print_rows(console, heads, rows, whole=["fault"], note=note)
