"""A soak test: a long, steady load without faults. The rate stays, memory does not grow, nothing is lost."""

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
"""The least number of samples, also in a short soak test."""
WARM_SHARE = 0.25
"""The share of the time that is warm-up, in which caches and pools fill."""
RATE_SHARE = 0.95
"""The share of the requested rate that must be answered 2xx."""


@dataclass(frozen=True)
class Growth:
    """Memory of one unit in MB: the median of the second quarter, and of the last."""

    unit: str
    before: float
    after: float

    @property
    def allowed(self) -> float:
        """How many MB the unit may grow.

        A store keeps data up to the size of its caches; the course's own units keep nothing.
        """
        share, least = (0.25, 48.0) if self.unit in STORES else (0.10, 8.0)
        return max(least, share * self.before)

    @property
    def too_much(self) -> bool:
        """Whether the growth is more than noise."""
        return self.after - self.before > self.allowed


class MemoryWatch:
    """Samples the resident bytes of each unit. `seconds`: how long the soak test lasts."""

    def __init__(self, backend: Backend, seconds: float) -> None:
        self._backend = backend
        self._gap = min(LOOK_SECONDS, seconds / LOOKS)
        self._looked = 0.0
        self.seen: list[dict[str, int]] = []

    def look(self, storm: Storm) -> None:
        """Take a sample if it is time; after the end of the load, memory says nothing."""
        if not storm.history.ended and time.monotonic() - self._looked > self._gap:
            self._looked = time.monotonic()
            self.seen.append({unit.name: unit.memory for unit in self._backend.units()})


def growth(seen: list[dict[str, int]]) -> list[Growth]:
    """Return how each unit's memory (bytes in each sample) has changed since the warm-up."""
    quarter = int(len(seen) * WARM_SHARE)
    if not quarter:
        return []

    def median(part: list[dict[str, int]], unit: str) -> float:
        # A unit that is restarting reports no memory; that is not growth.
        values = sorted(memory[unit] for memory in part if memory.get(unit)) or [0]
        return values[len(values) // 2] / 1e6

    second, last = seen[quarter : 2 * quarter], seen[-quarter:]
    return [Growth(unit, median(second, unit), median(last, unit)) for unit in seen[-1]]


def judge(history: History, load: Load, grown: list[Growth]) -> Violations:
    """Return the violations that only a soak test can find: of the rate and of memory."""
    return [*_rates(history, load), *_memory(grown)]


def _rates(history: History, load: Load) -> Iterator[str]:
    answered = rates(history)
    for what, requested in (("changes", load.writes), ("reads", load.reads)):
        if answered[what] < RATE_SHARE * requested:
            yield f"rate: {answered[what]:.1f} {what}/s were answered 2xx, {requested:g}/s were requested"


def _memory(grown: list[Growth]) -> Iterator[str]:
    if not grown:
        yield "memory: too few samples to judge it; choose more --minutes"
    for unit in grown:
        if unit.too_much:
            yield (
                f"memory: {unit.unit} grew from {unit.before:.0f} to {unit.after:.0f} MB after warm-up;"
                f" only {unit.allowed:.0f} MB more are allowed"
            )
