"""A soak: steady load for long, without faults; the rate is kept, memory does not grow, nothing is lost."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from lab.backends.protocol import Backend
from lab.storm.figures import rates
from lab.storm.history import History
from lab.storm.run import Load, Storm
from lab.storm.verdict import Violations
from lab.topology import STORES

LOOK_SECONDS = 10.0
LOOKS = 20
"""At least so many, also in a short soak."""
WARM_SHARE = 0.25
"""The first quarter is warm-up: caches and pools fill."""
RATE_SHARE = 0.95
"""Of the rate that is asked for so much must be answered 2xx."""


@dataclass(frozen=True)
class Growth:
    """Memory of one unit in MB: the median of the second quarter, and of the last."""

    unit: str
    before: float
    after: float

    @property
    def allowed(self) -> float:
        """So many MB may come on top.

        What a store was told to keep it keeps, up to the size of its caches; our own units keep nothing.
        """
        share, least = (0.25, 48.0) if self.unit in STORES else (0.10, 8.0)
        return max(least, share * self.before)

    @property
    def too_much(self) -> bool:
        """More than noise."""
        return self.after - self.before > self.allowed


class MemoryWatch:
    """Resident bytes of each unit, again and again. `seconds`: how long the soak lasts."""

    def __init__(self, backend: Backend, seconds: float) -> None:
        self._backend = backend
        self._gap = min(LOOK_SECONDS, seconds / LOOKS)
        self._looked = 0.0
        self.seen: list[dict[str, int]] = []

    def look(self, storm: Storm) -> None:
        """A turn of the load; what comes after its end is no load."""
        if not storm.history.ended and time.monotonic() - self._looked > self._gap:
            self._looked = time.monotonic()
            self.seen.append({unit.name: unit.memory for unit in self._backend.units()})


def growth(seen: list[dict[str, int]]) -> list[Growth]:
    """What became of each unit's memory (bytes at each look), once it was warm."""
    quarter = int(len(seen) * WARM_SHARE)
    if not quarter:
        return []

    def median(part: list[dict[str, int]], unit: str) -> float:
        # A unit that is just restarting has no memory; that is another matter.
        values = sorted(memory[unit] for memory in part if memory.get(unit)) or [0]
        return values[len(values) // 2] / 1e6

    second, last = seen[quarter : 2 * quarter], seen[-quarter:]
    return [Growth(unit, median(second, unit), median(last, unit)) for unit in seen[-1]]


def judge(history: History, load: Load, grown: list[Growth]) -> Violations:
    """What a soak finds beside what a storm's verdict finds."""
    return [*_rates(history, load), *_memory(grown)]


def _rates(history: History, load: Load) -> Iterator[str]:
    found = rates(history)
    for what, wanted in (("changes", load.writes), ("reads", load.reads)):
        if found[what] < RATE_SHARE * wanted:
            yield f"rate: {found[what]:.1f} {what}/s were answered 2xx, {wanted:g} were asked for"


def _memory(grown: list[Growth]) -> Iterator[str]:
    if not grown:
        yield "memory: too few looks to judge it; let the soak last longer"
    for one in grown:
        if one.too_much:
            yield (
                f"memory: {one.unit} grew from {one.before:.0f} to {one.after:.0f} MB after warm-up,"
                f" {one.allowed:.0f} MB more are allowed"
            )
