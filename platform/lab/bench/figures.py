"""Medians and ratios of what was measured: for JSON, and as a table with the targets."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from lab.bench.feed import Delays
from lab.bench.rounds import Measured
from lab.bench.rows import (
    FEED,
    FEW,
    HEALTH,
    IDLE_PERCENT,
    MANY,
    MEMORY_MB,
    P99_TO_P50,
    ROWS,
    TO_FEED_MS,
    TO_HEALTH,
    Row,
)
from lab.bench.wrk import Load

Cells = tuple[str, ...]
HEADS = ("request, connections", "p50 ms", "p99 ms", "per s", "CPU ms", "/health", "/reference", "target")
"""`/health`: the median as a multiple of that of health; `/reference`: requests per second as a multiple."""


def figures(measured: Measured, reference: Measured | None, memory: int) -> dict[str, Any]:
    """Return all medians and ratios by name; `reference` is the system to compare with."""
    return {
        "rows": {row.name: _row(row, measured, reference) for row in ROWS},
        "to_feed_ms": asdict(_typical(measured.delays)),
        "to_feed_reference_ms": asdict(_typical(reference.delays)) if reference else None,
        "idle_percent": statistics.median(measured.idle_percent),
        "idle_reference_percent": statistics.median(reference.idle_percent) if reference else None,
        "memory_mb": memory / 1e6,
    }


def _row(row: Row, measured: Measured, reference: Measured | None) -> dict[str, Any]:
    loads = measured.loads[row.name]
    health = measured.loads[Row(HEALTH, row.connections).name]
    found = _medians(loads, measured.processor_ms.get(row.name, []))
    found["p50_to_health"] = statistics.median(a.p50 / b.p50 for a, b in zip(loads, health, strict=True))
    found["p99_to_p50"] = statistics.median(load.p99 / load.p50 for load in loads)
    if reference is not None and row.name in reference.loads:
        others = reference.loads[row.name]
        found["reference"] = _medians(others, reference.processor_ms.get(row.name, []))
        found["p50_to_reference"] = statistics.median(
            a.p50 / b.p50 for a, b in zip(loads, others, strict=True)
        )
        found["per_s_to_reference"] = statistics.median(
            a.rate / b.rate for a, b in zip(loads, others, strict=True)
        )
    return found


def _medians(loads: Sequence[Load], processor_ms: Sequence[float]) -> dict[str, Any]:
    return {
        "p50_ms": statistics.median(load.p50 for load in loads),
        "p99_ms": statistics.median(load.p99 for load in loads),
        "per_s": statistics.median(load.rate for load in loads),
        "processor_ms": statistics.median(processor_ms) if processor_ms else None,
    }


def _typical(delays: Sequence[Delays]) -> Delays:
    return Delays(
        statistics.median(delay.p50 for delay in delays), statistics.median(delay.p99 for delay in delays)
    )


def target(row: Row) -> str:
    """Return the row's target in words; "" if it has none."""
    if row.connections == FEW and row.request.name in TO_HEALTH:
        return f"/health at most {TO_HEALTH[row.request.name]:g}"
    return f"p99/p50 at most {P99_TO_P50:g}" if row.connections == MANY else ""


def table(found: dict[str, Any]) -> list[Cells]:
    """Return the cells of each row, as HEADS names them."""
    cells: list[Cells] = []
    for row in ROWS:
        one = found["rows"][row.name]
        cells.append(
            (row.name, f"{one['p50_ms']:.2f}", f"{one['p99_ms']:.2f}", f"{one['per_s']:.0f}",
             _number(one["processor_ms"]), f"{one['p50_to_health']:.2f}",
             _number(one.get("per_s_to_reference")), target(row))
        )  # fmt: skip
    return cells


def whole_system(found: dict[str, Any]) -> list[Cells]:
    """Return figure, value, reference and target for what is no request."""
    delays, others = found["to_feed_ms"], found["to_feed_reference_ms"] or {}
    return [
        ("POST until in the feed, p50 ms", f"{delays['p50']:.1f}", _number(others.get("p50")),
         f"at most {TO_FEED_MS:g}"),
        ("POST until in the feed, p99 ms", f"{delays['p99']:.1f}", _number(others.get("p99")), ""),
        ("processor when idle, % of a core", f"{found['idle_percent']:.1f}",
         _number(found["idle_reference_percent"]), f"at most {IDLE_PERCENT:g}"),
        ("memory, MB", f"{found['memory_mb']:.0f}", _number(found.get("memory_reference_mb")),
         f"at most {MEMORY_MB:g}"),
    ]  # fmt: skip


OPTION_P50, OPTION_MB = 1.15, 240.0
"""What observability may cost: this many times the median of the feed, and this much memory."""


def cost_of_option(found: dict[str, Any]) -> list[Cells]:
    """Return figure, with the option, without it, and target: what an option costs."""
    row = Row(FEED, FEW).name
    feed = found["rows"][row]
    more = found["memory_mb"] - found["memory_reference_mb"]
    return [
        (f"{row}: p50 ms", f"{feed['p50_ms']:.2f}", f"{feed['reference']['p50_ms']:.2f}",
         f"{feed['p50_to_reference']:.2f} times, at most {OPTION_P50:g}"),
        ("memory, MB", f"{found['memory_mb']:.0f}", f"{found['memory_reference_mb']:.0f}",
         f"{more:.0f} more, at most {OPTION_MB:g}"),
    ]  # fmt: skip


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
