"""./lab break and ./lab heal."""

import re
import time

import click

from lab.backends.protocol import Backend
from lab.errors import LabError
from lab.faults import break_, ledger
from lab.faults.catalog import FAULTS, fault, target
from lab.home import Home
from lab.terminal import Console, print_rows


class Seconds(click.ParamType[float]):
    """'10', '10s' or '2m'."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The time in seconds."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m)?", str(value))
        if not found:
            self.fail(f"{value!r} is not a time; write 10s or 2m", param, ctx)
        seconds = float(found[1]) * (60 if found[2] == "m" else 1)
        if not 0 < seconds <= break_.LONGEST_SECONDS:
            self.fail(f"{value!r} is not between 0 and {break_.LONGEST_SECONDS:.0f} s", param, ctx)
        return seconds


def register(cli: click.Group, home: Home, backend: Backend, console: Console) -> None:
    """Add the commands."""

    @cli.command("break")
    @click.argument("name", metavar="FAULT", required=False)
    @click.argument("unit", metavar="[UNIT]", default="")
    @click.option("--for", "seconds", type=Seconds(), default="10s", show_default=True, help="How long.")
    @click.option("--list", "as_list", is_flag=True, help="All faults, and what they teach.")
    def break_something(name: str | None, unit: str, seconds: float, as_list: bool) -> None:
        """Break something on purpose; it ends by itself."""
        if as_list or name is None:
            _print_table(console)
            return
        found = fault(name)
        chosen = target(found, unit)
        if not backend.running():
            raise LabError("The system is not running. Start it: ./lab up")
        break_.start(home, backend, found, chosen, seconds)
        console.print(f"{found.name} {chosen}: {found.does}.\nIt teaches: {found.teaches}.")
        if found.lasts:
            at = time.strftime("%H:%M:%S", time.localtime(time.time() + seconds))
            console.print(f"It ends by itself at {at}; at once with: ./lab heal")

    @cli.command()
    def heal() -> None:
        """End all faults that are on."""
        console.print(heal_now(home, backend) or "Nothing is broken on purpose.")


def heal_now(home: Home, backend: Backend) -> str:
    """End all faults; the text says which, '' when there were none."""
    ended: list[ledger.Entry] = break_.heal_all(home, backend)
    return "\n".join(f"{entry.fault} {entry.unit} is over." for entry in ended)


def _print_table(console: Console) -> None:
    rows = []
    for found in FAULTS:
        units = found.units[0] if len(found.units) == 1 else "any"
        marks = "" if found.lasts else " *"
        marks += "" if "compose" in found.backends else " (n)"
        rows.append((found.name + marks, units, found.does, found.teaches))
    note = "* happens once; all others end by themselves after --for. (n) LAB_BACKEND=native only"
    heads = ("fault", "unit", "what it does", "what it teaches")
    print_rows(console, heads, rows, whole=["fault"], note=note)
