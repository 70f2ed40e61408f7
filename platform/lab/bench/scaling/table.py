"""Medians and ratios of the measurements of scaling, and what the simulation can take from them."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from lab.bench.scaling.measure import Row

KINDS = ("writes", "publishing", "projection", "reads")
HEADS = (
    "partitions", "replicas", "load", "writes/s", "CPU ms", "published/s", "CPU ms", "projected/s", "CPU ms",
    "reads/s", "CPU ms", "to one replica",
)  # fmt: skip
DEMANDS = {
    "gateway_write": ("writes", "traefik"),
    "auth_write": ("writes", "auth"),
    "posts_write": ("writes", "posts"),
    "mongodb_write": ("writes", "mongodb"),
    "relay_event": ("publishing", "posts-relay"),
    "kafka_event": ("publishing", "kafka"),
    "projector_event": ("projection", "feed-projector"),
    "redis_event": ("projection", "redis"),
    "gateway_read": ("reads", "traefik"),
    "feed_read": ("reads", "feed"),
    "redis_read": ("reads", "redis"),
}
"""The parameters of the simulation (demands.toml): each is the processor time of a unit in a measurement."""

Measured = Mapping[str, Any]


def as_json(rows: Sequence[Row]) -> list[Measured]:
    """Return the rows as they are stored."""
    return [asdict(row) for row in rows]


def table(rows: Sequence[Measured]) -> list[tuple[str, ...]]:
    """Return a line for each number of partitions and replicas: medians over the rounds.

    The last cell compares writes, publishing, projection and reads per second with those of a single
    replica, each pair in the same round.
    """
    lines = []
    for partitions, count in sorted({(row["partitions"], row["replicas"]) for row in rows}):
        mine = _of(rows, partitions, count)
        cells = [str(partitions), str(count), f"{_median(mine, lambda row: row['load']):.0f}"]
        for kind in KINDS:
            cells.append(f"{_median(mine, lambda row: row[kind]['per_second']):,.0f}")  # noqa: B023
            cells.append(f"{_median(mine, lambda row: sum(row[kind]['processor'].values())):.1f}")  # noqa: B023
        lines.append((*cells, _ratios(mine, _of(rows, partitions, 1)) if count > 1 else ""))
    return lines


def demands(rows: Sequence[Measured]) -> dict[str, float]:
    """Return the processor time in ms of each step of a post and of a read, with one of everything."""
    one = _of(rows, 1, 1)
    return {
        name: round(_median(one, lambda row: row[kind]["processor"].get(unit, 0.0)), 3)  # noqa: B023
        for name, (kind, unit) in DEMANDS.items()
    }


def _of(rows: Sequence[Measured], partitions: int, count: int) -> list[Measured]:
    return [row for row in rows if (row["partitions"], row["replicas"]) == (partitions, count)]


def _median(rows: Sequence[Measured], look: Callable[[Measured], float]) -> float:
    return statistics.median(map(look, rows))


def _ratios(several: Sequence[Measured], single: Sequence[Measured]) -> str:
    ratios = [
        statistics.median(
            a[kind]["per_second"] / b[kind]["per_second"] for a, b in zip(several, single, strict=True)
        )
        for kind in KINDS
    ]
    return ", ".join(f"{ratio:.2f}" for ratio in ratios)
