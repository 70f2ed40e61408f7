"""./lab storm and ./lab soak."""

import json
import secrets
import time
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table

from lab.backend import Backend
from lab.errors import LabError
from lab.home import Home
from lab.storm import figures, timeline
from lab.storm.run import Load, Report, Storm
from lab.storm.schedule import schedule
from lab.storm.soak import MemoryWatch

PLAIN_SECONDS = 10.0


def register(cli: click.Group, home: Home, backend: Backend, console: Console) -> None:
    """Add the commands."""
    _register_soak(cli, home, backend, console)

    @cli.command()
    @click.option("--seed", type=int, help="The same seed gives the same faults and people's choices.")
    @click.option("--minutes", default=3.0, show_default=True, type=click.FloatRange(0.1, 120))
    @click.option("--writes", default=20.0, show_default=True, help="Changes per second.")
    @click.option("--reads", default=20.0, show_default=True, help="Reads per second.")
    @click.option("--without", multiple=True, metavar="FAULT", help="Leave a fault out.")
    @click.option("--out", default="storms", show_default=True, type=Path, help="Folder for results.")
    def storm(
        seed: int | None, minutes: float, writes: float, reads: float, without: tuple[str, ...], out: Path
    ) -> None:
        """Faults under load, and a verdict: is anything lost, doubled, stale or shown to the wrong person?"""
        if not backend.running():
            raise LabError("The system is not running. Start it: ./lab up")
        seed = secrets.randbelow(10**6) if seed is None else seed
        console.print(f"Seed {seed}. The same again: ./lab storm --seed {seed} --minutes {minutes:g}")
        planned = schedule(seed, minutes * 60, without)
        made = Storm(home, backend, seed, minutes * 60, planned, Load(writes, reads))
        report = watched(made, console)
        print_report(report, out, f"storm-{seed}", console)
        if not report.passed:
            raise LabError(
                f"The storm found something. Again: ./lab storm --seed {seed} --minutes {minutes:g}"
            )


def _register_soak(cli: click.Group, home: Home, backend: Backend, console: Console) -> None:
    @cli.command()
    @click.option("--minutes", default=20.0, show_default=True, type=click.FloatRange(0.1, 600))
    @click.option("--writes", default=200.0, show_default=True, help="Changes per second.")
    @click.option("--reads", default=500.0, show_default=True, help="Reads per second.")
    @click.option("--out", default="storms", show_default=True, type=Path, help="Folder for results.")
    def soak(minutes: float, writes: float, reads: float, out: Path) -> None:
        """Steady load without faults: latencies, memory of each unit, and nothing lost."""
        if not backend.running():
            raise LabError("The system is not running. Start it: ./lab up")
        watch = MemoryWatch(backend)
        load = Load(writes, reads, people=16, limit=20, kept=0.5)
        report = watched(Storm(home, backend, 0, minutes * 60, [], load), console, watch.look)
        print_report(report, out, "soak", console)
        table = Table("unit", "MB after warm-up", "MB at the end", box=None, pad_edge=False)
        for unit, (before, after) in watch.growth().items():
            table.add_row(unit, f"{before:.0f}", f"{after:.0f}")
        console.print(table)
        if not report.passed:
            raise LabError(f"The soak found something; its history: {out / 'soak.json'}")


def watched(storm: Storm, console: Console, also: Callable[[Storm], None] = lambda storm: None) -> Report:
    """Run it with a live view; on a plain output with a line now and then. `also` looks on."""
    if console.is_terminal:
        with Live(console=console, transient=True, refresh_per_second=4) as live:

            def show(now: Storm) -> None:
                also(now)
                live.update(_view(now))

            return storm.run(show)
    said = time.monotonic()

    def line(now: Storm) -> None:
        nonlocal said
        also(now)
        if time.monotonic() - said > PLAIN_SECONDS:
            said = time.monotonic()
            console.print("  " + "  ".join(f"{name}: {value}" for name, value in _state(now).items()))

    return storm.run(line)


def _state(storm: Storm) -> dict[str, str]:
    history, now = storm.history, time.time()
    recent = [w for w in history.writes[-400:] if w.ended > now - 5 and w.kind != "refuse"]
    failed = sum(1 for write in recent if write.outcome != "done")
    reads = sum(1 for read in history.reads[-4000:] if read.ended > now - 5)
    lag = history.samples[-1].lag if history.samples else None
    return {
        "time": f"{now - history.began:.0f} s",
        "changes/s": f"{len(recent) / 5:.0f}",
        "failed/s": f"{failed / 5:.1f}",
        "reads/s": f"{reads / 5:.0f}",
        "lag": "unknown" if lag is None else str(lag),
        "fault": storm.on or "none",
    }


def _view(storm: Storm) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in _state(storm).items():
        table.add_row(name, value)
    return table


def print_report(report: Report, out: Path, name: str, console: Console) -> None:
    """Print figures and verdict; write history and picture."""
    out.mkdir(parents=True, exist_ok=True)
    table = Table(box=None, pad_edge=False, show_header=False)
    rows = figures.table(report)
    for label, value in rows.items():
        table.add_row(label, value)
    console.print(table)
    verdict = "PASS" if report.passed else "FAIL"
    for violation in report.violations[:20]:
        console.print(f"  {violation}", markup=False)
    picture, file = out / f"{name}.svg", out / f"{name}.json"
    picture.write_text(timeline.svg(report.history, f"Storm {report.seed}: {verdict}"), encoding="utf-8")
    document = {"seed": report.seed, "verdict": verdict, "violations": report.violations, "figures": rows}
    file.write_text(json.dumps(document | {"history": report.history.as_json()}), encoding="utf-8")
    console.print(f"{verdict}. Picture: {picture}, history: {file}")
