"""The protocol for the life cycle: what ./lab needs from a backend to start, stop and watch the system."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from lab.progress import Progress


@dataclass(frozen=True)
class Unit:
    """State of one unit. `memory`: resident bytes of it and its children; `since`: Unix seconds.

    `restarts` counts how often the supervisor restarted the unit after it had ended by itself.
    """

    name: str
    state: str
    pid: int | None
    container: str | None
    memory: int
    since: float | None
    restarts: int = 0


class Lifecycle(Protocol):
    """Starts and stops the units, and reports their state."""

    kind: str
    """The backend's name in LAB_BACKEND, such as `compose` or `native`."""

    def running(self) -> bool:
        """Return whether this system's supervisor answers."""

    def belongs_elsewhere(self) -> str:
        """Return the other clone whose code the running system uses; '' when it is this one."""

    def start(self, progress: Progress) -> None:
        """Start all units, with the options of `lab.options.chosen`. Raises LabError."""

    def options(self) -> tuple[str, ...]:
        """Return the options with which the running system was started."""

    def stop(self) -> None:
        """Stop all units; the data stays."""

    def restart(self, unit: str) -> None:
        """Restart one unit. Raises LabError."""

    def provision(self) -> None:
        """Create topics, the replica set and roles again in the running servers. Raises LabError."""

    def refuse_wrong_settings(self) -> None:
        """Raise LabError for ports or addresses that cannot work together, before anything starts."""

    def stop_unit(self, unit: str) -> None:
        """Stop one unit until `start_unit` is called."""

    def start_unit(self, unit: str) -> None:
        """Start one stopped unit."""

    def units(self) -> list[Unit]:
        """Return all units with their state; of the second instances only those that run."""

    def pid_of(self, unit: str) -> int | None:
        """Return the pid of a unit's main process, None while it is down; faster than `units`."""

    def override(self, unit: str, settings: Mapping[str, str]) -> None:
        """Restart a unit with settings in addition to its own; an empty mapping removes them."""

    def deliver(self, unit: str) -> None:
        """Bring the learner's saved files to a unit that cannot see this machine's folder."""

    def log_command(self, unit: str, follow: bool, lines: int = 200) -> list[str]:
        """Return the command that prints the last lines of a unit's log."""

    def marked_command(self, unit: str, lines: int) -> list[str]:
        """Return the command that prints what a unit reported about the learner's code.

        Such lines begin with course_runtime.incidents.MARK; other lines may stand between them.
        """

    def tool_command(self, tool: str, *arguments: str) -> list[str]:
        """Return the command that runs `python -m civildiy TOOL` once, with the settings of the feed's tools.

        It runs the same code as the unit `feed`, writes its answer to stdout and ends by itself.
        """

    def remarks(self) -> str:
        """Return what the user should know once the system is up; '' when there is nothing."""

    def delete_data(self) -> None:
        """Delete the data that `stop` keeps."""
