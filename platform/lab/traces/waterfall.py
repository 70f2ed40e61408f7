"""A trace as a waterfall in 80 columns: one line for each span, indented below its parent."""

from collections.abc import Iterator

from lab.text import visible
from lab.traces.jaeger import Span, Trace

WIDTH = 80
UNIT, NAME, NUMBER = 14, 27, 9
BAR = WIDTH - UNIT - NAME - 2 * NUMBER - 4


def waterfall(trace: Trace) -> list[str]:
    """Return the lines of the drawing. Times are in milliseconds; `at` counts from the first span."""
    first = min(span.began for span in trace.spans)
    whole = max(max(span.began + span.took for span in trace.spans) - first, 1)
    failed = sum(span.failed for span in trace.spans)
    head = f"trace {trace.id}: {len(trace.spans)} spans, {whole / 1000:.1f} ms"
    lines = [head + (f", {failed} failed" if failed else "")]
    lines.append(f"{'unit':<{UNIT}} {'span':<{NAME}} {'at':>{NUMBER}} {'took':>{NUMBER}}")
    for depth, span in in_order(trace):
        unit, name = _cut(span.unit, UNIT), _cut("  " * min(depth, 6) + span.name, NAME)
        at, took = (span.began - first) / 1000, span.took / 1000
        begin = min(int((span.began - first) / whole * BAR), BAR - 1)
        length = min(max(1, round(span.took / whole * BAR)), BAR - begin)
        bar = " " * begin + ("!" if span.failed else "=") * length
        line = f"{unit:<{UNIT}} {name:<{NAME}} {at:>{NUMBER}.1f} {took:>{NUMBER}.1f} {bar}"
        lines.append(line.rstrip())
    return lines


def _cut(text: str, width: int) -> str:
    """Return the text without control characters, cut to a column of the drawing."""
    text = visible(text).replace("\n", " ")
    return text if len(text) <= width else text[: width - 1] + "…"


def in_order(trace: Trace) -> Iterator[tuple[int, Span]]:
    """Yield each span with its depth: a parent before its children, siblings by their beginning."""
    waiting = [(0, span) for span in reversed(trace.roots())]
    while waiting:
        depth, span = waiting.pop()
        yield depth, span
        waiting += [(depth + 1, child) for child in reversed(trace.children(span.id))]
