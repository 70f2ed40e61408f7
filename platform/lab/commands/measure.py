"""./lab bench."""

import json
from pathlib import Path

import click

from lab import results
from lab.backends.protocol import Backend
from lab.commands.system import need_running
from lab.home import Home
from lab.memory import together
from lab.progress import Progress
from lab.terminal import Console, print_rows


def register(cli: click.Group, home: Home, backend: Backend, console: Console) -> None:
    """Add the command to `cli`."""

    @cli.command()
    @click.option("--rounds", default=5, show_default=True, type=click.IntRange(1, 50),
                  help="How often each measurement is repeated; the medians are shown.")  # fmt: skip
    @click.option(
        "--json", "file", type=Path, help="Write the figures to this file instead of OUT/bench.json."
    )
    @results.option
    def bench(rounds: int, file: Path | None, out: Path) -> None:
        """Measure latency and throughput beside reference values."""
        from lab.bench import TARGETS, measure

        need_running(backend)
        # Before the minutes of measuring: a folder that cannot be written is reported at once.
        place = results.file(file or out / "bench.json")
        memory = together(backend.units())
        with Progress(console) as progress:
            figures = measure(backend.endpoints(), memory, rounds, progress)
        rows = [(name, f"{value:.2f}", TARGETS.get(name, "(reference)")) for name, value in figures.items()]
        print_rows(console, ("figure", "measured", "target"), rows, right=["measured"], whole=["figure"])
        place.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        console.print(f"The figures are in {place}.", soft_wrap=True)
