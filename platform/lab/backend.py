"""What everything above it asks of a backend, whichever runs the system."""

from dataclasses import dataclass
from typing import Protocol

from lab.progress import Progress

UNITS = (
    "postgresql", "mongodb", "redis", "kafka", "consul", "traefik",
    "auth", "profile", "posts", "posts-relay", "feed", "feed-projector",
)  # fmt: skip


@dataclass(frozen=True)
class Unit:
    """One running part. `memory` is resident bytes of it and its children; `since` Unix seconds."""

    name: str
    state: str
    pid: int | None
    container: str | None
    memory: int
    since: float | None


class Backend(Protocol):
    """Start, stop, restart, logs, endpoints; the rest is written once on top."""

    def running(self) -> bool:
        """Whether a supervisor of this stack answers."""

    def start(self, progress: Progress) -> None:
        """Start everything. Raises LabError."""

    def stop(self) -> None:
        """Stop everything; data stays."""

    def restart(self, unit: str) -> None:
        """Restart one unit. Raises LabError."""

    def stop_unit(self, unit: str) -> None:
        """Stop one unit until it is started again."""

    def start_unit(self, unit: str) -> None:
        """Start one stopped unit."""

    def units(self) -> list[Unit]:
        """All units and their state."""

    def log_command(self, unit: str, follow: bool) -> list[str]:
        """The command that prints a unit's log."""

    def endpoints(self) -> dict[str, str]:
        """Addresses by name."""

    def delete_data(self) -> None:
        """Delete what `stop` keeps."""
