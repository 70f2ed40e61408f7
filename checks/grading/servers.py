"""The servers below the services: whether each answers, and whether it is the one that ran before.

A check cannot tell a wrong answer from a broken server. So servers are asked before a check, and again
before it fails: in their own protocols, since a frozen one still takes connections.
"""

import socket
import struct
from contextlib import suppress
from dataclasses import dataclass

import bson
import httpx

from grading.outcome import NotGradable
from grading.stack import ENDPOINTS, backend, noting
from lab.errors import NotFromHere
from lab.probes import local_http
from lab.probes.readiness import slow
from lab.topology import SERVERS

PATIENCE_SECONDS = 2.0
SHORT_PATIENCE_SECONDS = 0.5
"""Once one server has not answered: nobody waits long for each of the checks that follow."""

_HELLO = bson.encode({"hello": 1, "$db": "admin"})
# The shortest honest question in each protocol, and how its answer begins.
_QUESTIONS = {
    "postgresql": (struct.pack("!ii", 8, 80877103), b""),  # SSLRequest
    "redis": (b"PING\r\n", b"+PONG"),
    "kafka": (struct.pack("!ihhih", 10, 18, 0, 7, 0), b""),  # ApiVersions v0, client id ""
    "mongodb": (struct.pack("<iiiiIB", 21 + len(_HELLO), 1, 0, 2013, 0, 0) + _HELLO, b""),  # OP_MSG
}
_silent: set[str] = set()


class ServerAway(NotGradable):
    """A server does not answer, or is not the one that ran when the check began."""


def answers(unit: str, within: float = PATIENCE_SECONDS) -> bool:
    """Whether a server answers a question of its own protocol within some seconds."""
    try:
        if unit in _QUESTIONS:
            host, _, port = ENDPOINTS[unit].rpartition(":")
            question, beginning = _QUESTIONS[unit]
            with socket.create_connection((host, int(port)), within * slow()) as connection:
                connection.settimeout(within * slow())
                connection.sendall(question)
                answer = connection.recv(64)
            return bool(answer) and answer.startswith(beginning)
        path = {"consul": "/v1/status/leader", "traefik": "/ping"}[unit]
        seen = local_http.get(ENDPOINTS[unit] + path, timeout=within * slow())
    except (OSError, httpx.HTTPError):
        return False
    return seen.status_code == 200 and seen.text not in ("", '""')


def dead_servers() -> list[str]:
    """Servers that do not answer."""
    patience = {unit: SHORT_PATIENCE_SECONDS for unit in _silent}
    dead = [unit for unit in SERVERS if not answers(unit, patience.get(unit, PATIENCE_SECONDS))]
    _silent.clear()
    _silent.update(dead)
    return dead


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
