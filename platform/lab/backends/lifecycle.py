"""Start, stop, watch: what ./lab needs of a backend to run the system."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from lab.progress import Progress


@dataclass(frozen=True)
class Unit:
    """One running part. `memory` is resident bytes of it and its children; `since` Unix seconds.

    `restarts` counts how often the supervisor started it again after it had ended by itself.
    """

    name: str
    state: str
    pid: int | None
    container: str | None
    memory: int
    since: float | None
    restarts: int = 0


class Lifecycle(Protocol):
    """Runs the units, and tells their state."""

    kind: str
    """The backend's name in LAB_BACKEND: `compose` or `native`."""

    def running(self) -> bool:
        """Whether a supervisor of this stack answers."""

    def belongs_elsewhere(self) -> str:
        """The other clone whose code the running stack uses; '' when it is this one."""

    def start(self, progress: Progress) -> None:
        """Start everything. Raises LabError."""

    def stop(self) -> None:
        """Stop everything; data stays."""

    def restart(self, unit: str) -> None:
        """Restart one unit. Raises LabError."""

    def provision(self) -> None:
        """Set up topics, the replica set and roles again in the running servers. Raises LabError."""

    def refuse_wrong_settings(self) -> None:
        """Raise LabError for ports or addresses that cannot work together, before anything is started."""

    def stop_unit(self, unit: str) -> None:
        """Stop one unit until it is started again."""

    def start_unit(self, unit: str) -> None:
        """Start one stopped unit."""

    def units(self) -> list[Unit]:
        """All units and their state; of the second instances those that run."""

    def pid_of(self, unit: str) -> int | None:
        """Process id of a unit's main process, None while it does not run; quicker than `units`."""

    def override(self, unit: str, settings: Mapping[str, str]) -> None:
        """Settings on top of the unit's own, from now on (it restarts); empty removes them."""

    def log_command(self, unit: str, follow: bool, lines: int = 200) -> list[str]:
        """The command that prints the last lines of a unit's log."""

    def marked_command(self, unit: str, lines: int) -> list[str]:
        """The command that prints what a unit said of the learner's code (course_runtime.incidents.MARK).

        Other lines may stand between.
        """

    def tool_command(self, tool: str, *arguments: str) -> list[str]:
        """The command that runs `python -m civildiy TOOL` once, with the settings of the feed's tools.

        It runs the code that `feed` is told to run, writes its answer to stdout and ends by itself.
        """

    def remarks(self) -> str:
        """What a person should know once it is up; '' when there is nothing."""

    def delete_data(self) -> None:
        """Delete what `stop` keeps."""
