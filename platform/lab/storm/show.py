"""Show a storm: a live view while it runs, then figures, verdict, history and picture."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.live import Live
from rich.table import Table

from lab.storm import figures, timeline
from lab.storm.measured import Series
from lab.storm.run import Report, Storm
from lab.terminal import Console, print_rows

PLAIN_SECONDS = 10.0
SHOWN = 20


def watched(storm: Storm, console: Console, also: Callable[[Storm], None] = lambda storm: None) -> Report:
    """Run the storm with a live view, or with a line every 10 s without a terminal. `also` is called, too."""
    if console.live:
        with Live(console=console, transient=True, refresh_per_second=4) as live:

            def show(now: Storm) -> None:
                also(now)
                live.update(_view(now))

            return storm.run(show)
    printed_at = time.monotonic()

    def line(now: Storm) -> None:
        nonlocal printed_at
        also(now)
        if time.monotonic() - printed_at > PLAIN_SECONDS:
            printed_at = time.monotonic()
            state = "  ".join(f"{name}: {value}" for name, value in _state(now).items())
            console.print("  " + state, soft_wrap=True)

    return storm.run(line)


def _state(storm: Storm) -> dict[str, str]:
    history, now = storm.history, time.time()
    late = figures.lately(history, now)
    lag = history.samples[-1].lag if history.samples else None
    return {
        "time": f"{now - history.began:.0f} s",
        "changes/s": f"{late['changes']:.0f}",
        "failed/s": f"{late['failed']:.1f}",
        "reads/s": f"{late['reads']:.0f}",
        "lag": "unknown" if lag is None else str(lag),
        "fault": storm.on or "none",
    }


def _view(storm: Storm) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in _state(storm).items():
        table.add_row(name, value)
    return table


def print_report(
    report: Report,
    out: Path,
    name: str,
    console: Console,
    also: Mapping[str, object] | None = None,
    measured: Sequence[Series] = (),
) -> None:
    """Print figures and verdict; write the picture with what was measured, and a file with the whole history.

    With `also`, the file contains that instead of the history, which is long after a long load.
    """
    out.mkdir(parents=True, exist_ok=True)
    rows = figures.table(report)
    print_rows(console, ("", ""), [*rows.items()], whole=[])
    verdict = "PASS" if report.passed else "FAIL"
    for violation in report.violations[:SHOWN]:
        console.print(f"  {violation}")
    if len(report.violations) > SHOWN:
        console.print(f"  and {len(report.violations) - SHOWN} more")
    picture, file = out / f"{name}.svg", out / f"{name}.json"
    picture.write_text(timeline.svg(report.history, f"{name}: {verdict}", measured), encoding="utf-8")
    document = {"seed": report.seed, "verdict": verdict, "violations": report.violations, "figures": rows}
    document |= figures.numbers(report)
    document |= also if also is not None else {"history": report.history.as_json()}
    file.write_text(json.dumps(document), encoding="utf-8")
    console.print(f"{verdict}. Picture: {picture}. Figures and history: {file}", soft_wrap=True)
