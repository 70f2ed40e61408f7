"""The servers below the services: does each one answer, and is it the process that ran before?

A check cannot tell a wrong answer from a broken server. So the servers are checked before a check, and again
before it fails: in their own protocols, because a paused server still accepts connections.
"""

from contextlib import suppress
from dataclasses import dataclass

from grading.outcome import NotGradable
from grading.stack import ENDPOINTS, backend, noting
from lab.errors import NotFromHere
from lab.probes import servers
from lab.topology import SERVERS


class ServerUnavailable(NotGradable):
    """Raised when a server does not answer, or is not the process that ran when the check began."""


def dead_servers() -> list[str]:
    """Return the servers that do not answer."""
    return servers.unanswered(ENDPOINTS)


def trouble() -> str:
    """Return why nothing can be graded now; '' when all servers answer."""
    if not backend.running():
        return "the system is not running"
    return "; ".join(f"{unit} does not answer" for unit in dead_servers())


@dataclass(frozen=True)
class Watched:
    """The pids of the servers when a check began."""

    processes: dict[str, int | None]

    @classmethod
    def now(cls) -> "Watched":
        """Return the present pids. From now on, the servers that the check itself restarts are recorded."""
        noting.disturbed.clear()
        return cls(_processes())

    def trouble(self) -> str:
        """Return which server is down or was restarted by something else than the check; '' when none."""
        if down := trouble():
            return down
        now = _processes()
        others = [u for u, pid in self.processes.items() if u not in noting.disturbed and now.get(u) != pid]
        return "; ".join(f"{unit} was restarted while the check ran" for unit in others)


class Unwatched(Watched):
    """For a check that looks for a fault: a server that is down does not make it not gradable."""

    def trouble(self) -> str:
        """Return ''."""
        return ""


def _processes() -> dict[str, int | None]:
    with suppress(NotFromHere):  # JupyterLab cannot see the processes
        return {unit: backend.pid_of(unit) for unit in SERVERS}
    return {}
