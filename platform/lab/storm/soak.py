"""A soak: steady load for long, without faults; memory must not grow and nothing may be lost."""

import time

from lab.backend import Backend
from lab.storm.run import Storm

LOOK_SECONDS = 10.0
WARM_SHARE = 0.25
"""The first quarter is warm-up: caches and pools fill."""


class MemoryWatch:
    """Resident bytes of each unit, every ten seconds."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._looked = 0.0
        self.seen: list[tuple[float, dict[str, int]]] = []

    def look(self, storm: Storm) -> None:
        """A turn of the load."""
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self._looked = time.monotonic()
            memory = {unit.name: unit.memory for unit in self._backend.units()}
            self.seen.append((time.time() - storm.history.began, memory))

    def growth(self) -> dict[str, tuple[float, float]]:
        """MB of each unit: the median after warm-up's end, and of the last quarter."""
        size = len(self.seen)
        if size < 4:
            return {}
        middle = self.seen[int(size * WARM_SHARE) : int(size * 2 * WARM_SHARE)]
        last = self.seen[-int(size * WARM_SHARE) :]

        def median(part: list[tuple[float, dict[str, int]]], unit: str) -> float:
            values = sorted(memory.get(unit, 0) for _, memory in part)
            return values[len(values) // 2] / 1e6

        return {unit: (median(middle, unit), median(last, unit)) for unit in self.seen[-1][1]}
