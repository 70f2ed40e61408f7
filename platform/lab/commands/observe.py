"""./lab trace and ./lab slo: what one request did, and how well the system does."""

import json
import re
import sys
import time

import click

from lab.backends.protocol import Backend
from lab.deadlines import slow
from lab.errors import LabError
from lab.terminal import Console, print_rows
from lab.traces.jaeger import Jaeger, Trace
from lab.traces.lines import LINES, lines_of

WAIT_SECONDS = 8.0
"""Spans reach the collector some seconds after the request: the gateway sends its own every 5 s."""
POST, TRACE = re.compile("[0-9a-f]{24}"), re.compile("[0-9a-f]{32}")


def need_option(backend: Backend) -> None:
    """Raise LabError unless the system runs with observability."""
    if not backend.running():
        raise LabError("The system is not running. Start it: ./lab up --with observability")
    if "observability" not in backend.options():
        raise LabError(
            "The running system records neither traces nor metrics. Start it again with them; its data stays:"
            " ./lab up --with observability"
        )


def find(jaeger: Jaeger, what: str) -> Trace | None:
    """Return a trace by its id, or the newest trace of a post; None if the collector has none."""
    if TRACE.fullmatch(what):
        return jaeger.trace(what)
    found = jaeger.search("posts-relay", {"messaging.kafka.message.key": what}, limit=100)
    return found[0] if found else None


def settled(jaeger: Jaeger, what: str, within: float = WAIT_SECONDS) -> Trace | None:
    """Return the trace when no more spans arrive, or what there is after `within` seconds."""
    deadline = time.monotonic() + within * slow()
    before, found = -1, find(jaeger, what)
    while time.monotonic() < deadline:
        gateway = found is not None and any(span.unit == "traefik" for span in found.spans)
        if found is not None and gateway and len(found.spans) == before:
            break
        before = len(found.spans) if found else -1
        time.sleep(1)
        found = find(jaeger, what)
    return found


def print_lines(backend: Backend, console: Console, trace: str) -> None:
    """Print the log lines of one trace, from all units, in the order of their times. Raises LabError."""
    if not TRACE.fullmatch(trace):
        raise LabError("A trace has an id of 32 hexadecimal digits: ./lab logs --trace ID")
    found = lines_of(backend, trace)
    for unit, line in found:
        console.print(f"{unit:<15}{line}", soft_wrap=True)
    if not found:
        console.print(
            f"None of the last {LINES} log lines of each unit has the trace {trace}. While telemetry is on"
            " (./lab up --with observability), each unit writes a line for each recorded request."
        )


def register(cli: click.Group, backend: Backend, console: Console) -> None:
    """Add the commands to `cli`."""

    @cli.command()
    @click.argument("what", metavar="POST_ID|TRACE_ID")
    def trace(what: str) -> None:
        """Draw one trace: the newest of a post, or the one with this id. Needs `up --with observability`."""
        from lab.traces.waterfall import waterfall

        if not (POST.fullmatch(what) or TRACE.fullmatch(what)):
            raise LabError(
                "A post has an id of 24 hexadecimal digits, a trace one of 32. Write one of them:"
                " ./lab trace POST_ID|TRACE_ID"
            )
        need_option(backend)
        found = settled(Jaeger(backend.endpoints()["traces"]), what)
        if found is None:
            raise LabError(
                f"The collector has no trace of {what}. It keeps the newest 2,000 traces. Perhaps the request"
                " was not recorded (LAB_TRACE_RATIO), or its event is not published yet: ./lab lag"
            )
        for line in waterfall(found):
            console.print(line, soft_wrap=True)

    @cli.command()
    @click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
    def slo(as_json: bool) -> None:
        """Show each objective: what is left of its budget, and how fast it burns. Exit code 1: an alert."""
        from lab.slo.budget import budgets
        from lab.slo.metrics import Metrics

        need_option(backend)
        found = budgets(Metrics(backend.endpoints()["metrics"]))
        alerts = [alert for budget in found for alert in budget.alerts]
        if as_json:
            click.echo(json.dumps([budget.as_json() for budget in found], indent=1))
            sys.exit(bool(alerts))
        windows = list(found[0].burn)
        heads = ("objective", "good", "budget left", *(f"burn {window}" for window in windows))
        rows = [
            (
                budget.objective.name,
                _percent(budget.good, 3),
                _percent(budget.left, 0),
                *("-" if rate is None else f"{rate:.1f}" for rate in budget.burn.values()),
            )
            for budget in found
        ]
        print_rows(console, heads, rows, right=heads[1:], whole=heads)
        for budget in found:
            console.print(f"{budget.objective.name}: {budget.objective.text}.", soft_wrap=True)
        for alert in alerts:
            console.print(f"Alert: {alert}", style="bold", soft_wrap=True)
        sys.exit(bool(alerts))


def _percent(ratio: float | None, digits: int) -> str:
    return "-" if ratio is None else f"{ratio * 100:.{digits}f} %"
