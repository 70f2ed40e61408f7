"""What ./lab break, the storm and the checks need of a backend to break a unit and to end that again."""

from typing import Protocol


class Faults(Protocol):
    """Breaks one unit. What ends a fault may be called twice, and when nothing is wrong."""

    def signal(self, unit: str, number: int) -> None:
        """Send a signal to the unit's main process. Raises LabError when it does not run."""

    def revive(self, unit: str) -> None:
        """Start a unit that died now, where its supervisor would wait longer after each death."""

    def forget(self, unit: str) -> None:
        """Restart `unit` without what it stored: it comes back knowing nothing."""

    def freeze(self, unit: str) -> None:
        """Stop all processes of `unit` where they stand. Raises LabError when it does not run."""

    def thaw(self, unit: str) -> None:
        """Let what was frozen go on; nothing happens when nothing is frozen."""

    def cut_off(self, unit: str) -> None:
        """From now on no packet reaches or leaves `unit`. Raises LabError where this cannot be done."""

    def reconnect(self, unit: str) -> None:
        """End `cut_off`; nothing happens when the unit is not cut off."""

    def fill_disk(self, unit: str) -> None:
        """From now on what `unit` appends to its files is refused. Raises LabError."""

    def free_disk(self, unit: str) -> None:
        """End `fill_disk`; nothing happens when there is room."""

    def skew_clock(self, unit: str, seconds: int) -> None:
        """Restart `unit` with a clock that is off by `seconds`; 0 is the true time. Raises LabError."""
