"""The protocol for faults: what ./lab break, the storm and the checks need to break and heal a unit."""

from typing import Protocol


class Faults(Protocol):
    """Faults of one unit. The methods that end a fault may be called twice, and when nothing is wrong."""

    def signal(self, unit: str, number: int) -> None:
        """Send a signal to the unit's main process. Raises LabError when it is not running."""

    def revive(self, unit: str) -> None:
        """Start a crashed unit at once, where its supervisor would wait longer after each crash."""

    def forget(self, unit: str) -> None:
        """Restart `unit` with empty storage."""

    def freeze(self, unit: str) -> None:
        """Pause all processes of `unit` (SIGSTOP). Raises LabError when it is not running."""

    def thaw(self, unit: str) -> None:
        """Resume what was paused; do nothing when nothing is paused."""

    def cut_off(self, unit: str) -> None:
        """Drop every packet to and from `unit`. Raises LabError where this is impossible."""

    def reconnect(self, unit: str) -> None:
        """End `cut_off`; do nothing when the unit is not cut off."""

    def fill_disk(self, unit: str) -> None:
        """Refuse every write that would extend a file of `unit`. Raises LabError where this is impossible."""

    def free_disk(self, unit: str) -> None:
        """End `fill_disk`; do nothing when the files may grow."""

    def skew_clock(self, unit: str, seconds: int) -> None:
        """Restart `unit` with a clock that is off by `seconds`; 0 restores the true time. Raises LabError."""
