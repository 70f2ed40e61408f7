"""./lab storm and ./lab soak."""

import math
import secrets
from pathlib import Path
from typing import Any

import click

from lab import results
from lab.backends.protocol import Backend
from lab.errors import LabError
from lab.home import Home
from lab.terminal import Console, print_rows


class Number(click.FloatRange):
    """A number within a range. Python also reads `nan`, which is in every range and in none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number; end the command with an error when it is not one."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


RATE = Number(0, 10_000, min_open=True)


def register(cli: click.Group, home: Home, backend: Backend, console: Console) -> None:
    """Add the commands to `cli`."""
    _register_soak(cli, home, backend, console)

    @cli.command()
    @click.option("--seed", type=int, help="Repeat a run: the same seed gives the same faults and actions.")
    @click.option("--minutes", default=3.0, show_default=True, type=Number(0.1, 120),
                  help="How long the load lasts.")  # fmt: skip
    @click.option("--writes", default=20.0, show_default=True, type=RATE, help="Changes per second.")
    @click.option("--reads", default=20.0, show_default=True, type=RATE, help="Reads per second.")
    @click.option("--without", multiple=True, metavar="FAULT", help="Skip this fault; may be repeated.")
    @results.option
    def storm(
        seed: int | None, minutes: float, writes: float, reads: float, without: tuple[str, ...], out: Path
    ) -> None:
        """Inject faults under load. Check that no post is lost, doubled, stale or shown to others."""
        # Imported here because it loads the clients of all servers, which most commands do not need.
        from lab.faults.catalog import impossible
        from lab.slo.metrics import Metrics
        from lab.storm.burned import HEADS, burned
        from lab.storm.measured import measured
        from lab.storm.run import Load, Storm
        from lab.storm.schedule import schedule
        from lab.storm.show import print_report, watched

        if not backend.running():
            raise LabError("The system is not running. Start it: ./lab up")
        results.folder(out)  # before the storm: a folder that cannot be written is reported at once
        seed = secrets.randbelow(10**6) if seed is None else seed
        again = f"./lab storm --seed {seed} --minutes {minutes:g} --writes {writes:g} --reads {reads:g}"
        again += "".join(f" --without {name}" for name in without)
        console.print(f"Seed {seed}. Repeat this run: {again}", soft_wrap=True)
        if left_out := impossible(backend.kind):
            console.print(f"Skipped, because this backend cannot inject them: {', '.join(left_out)}.")
        planned = schedule(seed, minutes * 60, (*without, *left_out))
        run = Storm(home, backend, seed, minutes * 60, planned, Load(writes, reads))
        report = watched(run, console)
        if "observability" not in backend.options():
            print_report(report, out, f"storm-{seed}", console)
        else:
            metrics = Metrics(backend.endpoints()["metrics"])
            try:
                seen = measured(metrics, report.history)
            except LabError as error:  # the verdict of the storm is worth more than its metrics
                console.print(f"The picture shows no metrics. {error}", soft_wrap=True)
                seen = []
            print_report(report, out, f"storm-{seed}", console, measured=seen)
            console.print("The part of a day's error budget that each fault burned, with the 10 s after it:")
            rows = burned(metrics, report.history.spells)
            print_rows(console, HEADS, rows, right=HEADS[2:], whole=HEADS)
        if not report.passed:
            raise LabError(f"The storm found violations, listed above. Repeat this run: {again}")


def _register_soak(cli: click.Group, home: Home, backend: Backend, console: Console) -> None:
    @cli.command()
    @click.option("--minutes", default=20.0, show_default=True, type=Number(0.1, 600),
                  help="How long the load lasts.")  # fmt: skip
    @click.option("--writes", default=200.0, show_default=True, type=RATE, help="Changes per second.")
    @click.option("--reads", default=500.0, show_default=True, type=RATE, help="Reads per second.")
    @results.option
    def soak(minutes: float, writes: float, reads: float, out: Path) -> None:
        """Run a steady load. Check that no post is lost and memory does not grow."""
        from lab.storm.run import Load, Storm
        from lab.storm.show import print_report, watched
        from lab.storm.soak import MemoryWatch, growth, judge

        if not backend.running():
            raise LabError("The system is not running. Start it: ./lab up")
        results.folder(out)
        watch = MemoryWatch(backend, minutes * 60)
        load = Load(writes, reads, people=16, limit=20, kept=0.5)
        report = watched(Storm(home, backend, 0, minutes * 60, [], load), console, watch.look)
        growths = growth(watch.seen)
        report.violations += judge(report.history, load, growths)
        memory = {unit.unit: {"warm_mb": unit.before, "end_mb": unit.after} for unit in growths}
        print_report(report, out, "soak", console, {"memory": memory})
        heads = ("unit", "MB after warm-up", "MB at the end")
        rows = [(unit.unit, f"{unit.before:.0f}", f"{unit.after:.0f}") for unit in growths]
        print_rows(console, heads, rows, right=heads[1:], whole=["unit"])
        if not report.passed:
            raise LabError(f"The soak test found violations, listed above. Its figures: {out / 'soak.json'}")
