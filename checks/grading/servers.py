"""The servers below the services: whether each answers, and whether it is the one that ran before.

A check cannot tell a wrong answer from a broken server. So servers are asked before a check, and again
before it fails: in their own protocols, since a frozen one still takes connections.
"""

from contextlib import suppress
from dataclasses import dataclass

from grading.outcome import NotGradable
from grading.stack import ENDPOINTS, backend, noting
from lab.errors import NotFromHere
from lab.probes import servers
from lab.topology import SERVERS


class ServerAway(NotGradable):
    """A server does not answer, or is not the one that ran when the check began."""


def dead_servers() -> list[str]:
    """Servers that do not answer."""
    return servers.unanswered(ENDPOINTS)


def trouble() -> str:
    """Why nothing can be graded now; '' when all servers answer."""
    if not backend.running():
        return "the system is not running"
    return "; ".join(f"{unit} does not answer" for unit in dead_servers())


@dataclass(frozen=True)
class Watched:
    """The servers' processes when a check began."""

    processes: dict[str, int | None]

    @classmethod
    def now(cls) -> "Watched":
        """As they run now; what the check itself restarts is noted from now on."""
        noting.disturbed.clear()
        return cls(_processes())

    def trouble(self) -> str:
        """Which server is away, or was restarted since, and not by the check; '' when none was."""
        if away := trouble():
            return away
        now = _processes()
        others = [u for u, pid in self.processes.items() if u not in noting.disturbed and now.get(u) != pid]
        return "; ".join(f"{unit} was restarted while the check ran" for unit in others)


def _processes() -> dict[str, int | None]:
    with suppress(NotFromHere):  # JupyterLab sees no processes
        return {unit: backend.pid_of(unit) for unit in SERVERS}
    return {}
