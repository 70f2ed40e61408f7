"""What everything above it asks of a backend, whichever runs the system."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from lab.progress import Progress

UNITS = (
    "postgresql", "mongodb", "redis", "kafka", "consul", "traefik",
    "auth", "profile", "posts", "posts-relay", "feed", "feed-projector",
)  # fmt: skip


SECOND = tuple(f"{name}-2" for name in ("auth", "profile", "posts", "feed", "posts-relay", "feed-projector"))
"""A second instance of each of our own; it runs only while somebody asks for it."""


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


class Backend(Protocol):
    """Start, stop, restart, logs, endpoints; the rest is written once on top."""

    kind: str
    """`compose` or `native`, as LAB_BACKEND names it."""

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

    def signal(self, unit: str, number: int) -> None:
        """Send a signal to the unit's main process. Raises LabError when it does not run."""

    def revive(self, unit: str) -> None:
        """Start a unit that died now, where its supervisor would wait longer after each death."""

    def forget(self, unit: str) -> None:
        """Restart `unit` without what it stored: it comes back knowing nothing."""

    def override(self, unit: str, settings: Mapping[str, str]) -> None:
        """Settings on top of the unit's own, from now on (it restarts); empty removes them."""

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

    def endpoints(self) -> dict[str, str]:
        """Addresses by name, as this process reaches them."""

    def remarks(self) -> str:
        """What a person should know once it is up; '' when there is nothing."""

    def host(self, unit: str) -> str:
        """Name or address under which the other units know `unit`, and the catalog lists it."""

    def reach(self, unit: str) -> str:
        """Address (no port) at which this process reaches `unit`; second instances as well."""

    def variables(self) -> dict[str, str]:
        """Values for platform/deployment/settings/*.env, secrets included, for a program of this machine."""

    def listen_host(self) -> str:
        """An address on which a program of this machine can listen so that units reach it."""

    def neighbour(self) -> tuple[str, str]:
        """The gateway's URL for a second client, and the local address that client must use."""

    def delete_data(self) -> None:
        """Delete what `stop` keeps."""
