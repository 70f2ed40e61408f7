"""Draw a trace: a bar for each span, from its beginning to its end, indented below its parent."""

from collections.abc import Mapping
from typing import Any

from lab import topology
from lab.notebook.diagram import Drawing
from lab.notebook.picture import Picture
from lab.traces.edges import edges
from lab.traces.jaeger import Span, read
from lab.traces.waterfall import in_order

LEFT, WIDE, RIGHT = 380, 390, 90
ROW, TOP = 24, 40
INDENT = 14
LEAST = 4
"""Pixels of the shortest bar, so that the span of a moment is still visible."""


def draw(trace: Mapping[str, Any], title: str) -> Picture:
    """Return the picture of one trace: an item of `data` in an answer of Jaeger's query API."""
    found = read(trace)
    rows = list(in_order(found))
    first = min(span.began for span in found.spans)
    whole = max(1, max(span.began + span.took for span in found.spans) - first)
    drawing = Drawing(LEFT + WIDE + RIGHT, TOP + ROW * len(rows) + 8)
    drawing.text(8, 20, "unit and span", 'font-size="12" font-weight="600"')
    drawing.text(LEFT, 20, "0 ms", 'font-size="12"')
    drawing.text(LEFT + WIDE, 20, f"{whole / 1000:,.1f} ms", 'font-size="12"', "end")
    for number, (depth, span) in enumerate(rows):
        y = TOP + ROW * number
        drawing.text(8 + INDENT * depth, y + 13, f"{span.unit}  {span.name}")
        begin = LEFT + (span.began - first) / whole * WIDE
        width = max(LEAST, round(span.took / whole * WIDE))
        drawing.box(round(begin), y + 2, width, ROW - 10, (), good=not span.failed)
        drawing.text(LEFT + WIDE + 8, y + 13, f"{span.took / 1000:,.1f} ms")
    said = "; ".join(_said(span, first) for _, span in rows)
    alt = f"Trace of {len(rows)} spans in {whole / 1000:.1f} ms. {said}."
    return Picture(drawing.svg(), alt, title)


def complete(trace: Mapping[str, Any]) -> bool:
    """Tell whether the trace of a post has every call from unit to unit that it is going to have."""
    return topology.TRACE_EDGES["post"] <= edges(read(trace))


def _said(span: Span, first: int) -> str:
    at, took = (span.began - first) / 1000, span.took / 1000
    return f"{span.unit} {span.name}: from {at:.1f} ms, {took:.1f} ms long{', failed' * span.failed}"
