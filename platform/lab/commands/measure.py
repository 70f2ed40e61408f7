"""./lab bench."""

import json
from pathlib import Path

import click

from lab import options, results
from lab.backends.protocol import Backend
from lab.commands.system import need_running
from lab.home import REPO, Home
from lab.memory import together
from lab.progress import Progress
from lab.terminal import Console, print_rows


def register(cli: click.Group, home: Home, backend: Backend, console: Console) -> None:
    """Add the command to `cli`."""

    @cli.command()
    @click.option("--rounds", default=5, show_default=True, type=click.IntRange(1, 50),
                  help="How often each measurement is repeated; the medians are shown.")  # fmt: skip
    @click.option("--against", type=click.Path(path_type=Path),
                  help="Start this checkout and another one, and compare them.")  # fmt: skip
    @click.option("--with", "added", multiple=True, type=click.Choice(list(options.OPTIONS)),
                  help="Compare this checkout with an option of ./lab up and without it.")  # fmt: skip
    @click.option("--posts", type=click.IntRange(1, 10_000_000),
                  help="Fill the system with so many posts first; ./lab reset removes them.")  # fmt: skip
    @click.option("--scaling", is_flag=True,
                  help="Measure with 1 to 6 partitions and replicas. The partitions stay.")  # fmt: skip
    @click.option(
        "--json", "file", type=Path, help="Write the figures to this file instead of OUT/bench.json."
    )
    @results.option
    def bench(
        rounds: int,
        against: Path | None,
        added: tuple[str, ...],
        posts: int | None,
        scaling: bool,
        file: Path | None,
        out: Path,
    ) -> None:
        """Measure latency, throughput and processor time beside reference values."""
        from lab.bench.checkouts import compare
        from lab.bench.figures import HEADS, cost_of_option, table, whole_system
        from lab.bench.run import against_naive, scaled

        # Before the minutes of measuring: a folder that cannot be written is reported at once.
        place = results.file(file or out / "bench.json")
        if scaling:
            need_running(backend)
            _scaling(backend, rounds, place, console)
            return
        scale = None
        with Progress(console) as progress:
            if against is not None or added:
                figures = compare(against or REPO, rounds, progress, added)
            else:
                need_running(backend)
                scale = scaled(backend, posts, progress) if posts else None
                memory = together(backend.units())
                figures = against_naive(backend, home, memory, rounds, progress)
            progress.done("bench", f"{rounds} rounds")
        print_rows(console, HEADS, table(figures), right=HEADS[1:7], whole=HEADS[:1])
        heads = ("figure", "measured", "reference", "target")
        print_rows(console, heads, whole_system(figures), right=heads[1:3], whole=heads[:1])
        if added:
            heads = ("cost of the option", "with", "without", "")
            print_rows(console, heads, cost_of_option(figures), right=heads[1:3], whole=heads[:1])
        if scale:
            figures["scale"] = scale
            for tool in ("feed-rebuild", "feed-verify"):
                took = scale[tool]
                console.print(
                    f"{tool} with {scale['posts']:,} posts: {took['seconds']:.1f} s"
                    f" ({took['processor_seconds']:.1f} s of processor), {took['peak_mb']:.0f} MB"
                )
            console.print(f"feed-verify found {scale['findings']} differences.")
        place.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        console.print(f"The figures are in {place}.", soft_wrap=True)


def _scaling(backend: Backend, rounds: int, place: Path, console: Console) -> None:
    """Measure with several partitions and replicas; print a line for each number and keep all figures."""
    from lab.bench.scaling.measure import measure
    from lab.bench.scaling.table import HEADS, as_json, demands, table

    with Progress(console) as progress:
        rows = as_json(measure(backend, rounds, progress))
    found = {"rows": rows, "demands_ms": demands(rows)}
    place.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print_rows(console, HEADS, table(rows), right=HEADS, whole=HEADS)
    console.print(f"The figures are in {place}.", soft_wrap=True)
