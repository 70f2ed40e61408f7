"""Check in its own protocol whether each server answers: a paused one still accepts connections."""

import socket
import struct
from collections.abc import Mapping

import bson
import httpx

from lab.deadlines import slow
from lab.probes import local_http
from lab.topology import SERVERS, health

PATIENCE_SECONDS = 2.0
SHORT_PATIENCE_SECONDS = 0.5
"""Once a server has not answered, the next question to it waits no longer than this."""

_HELLO = bson.encode({"hello": 1, "$db": "admin"})
# The shortest valid question in each protocol, and how its answer begins.
_QUESTIONS = {
    "postgresql": (struct.pack("!ii", 8, 80877103), b""),  # SSLRequest
    "redis": (b"PING\r\n", b"+PONG"),
    "kafka": (struct.pack("!ihhih", 10, 18, 0, 7, 0), b""),  # ApiVersions v0, client id ""
    "mongodb": (struct.pack("<iiiiIB", 21 + len(_HELLO), 1, 0, 2013, 0, 0) + _HELLO, b""),  # OP_MSG
}
_silent: set[str] = set()


def answers(endpoints: Mapping[str, str], unit: str, within: float = PATIENCE_SECONDS) -> bool:
    """Return whether a server answers within `within` seconds (stretched by LAB_SLOW)."""
    try:
        if unit in _QUESTIONS:
            host, _, port = endpoints[unit].rpartition(":")
            question, beginning = _QUESTIONS[unit]
            with socket.create_connection((host, int(port)), within * slow()) as connection:
                connection.settimeout(within * slow())
                connection.sendall(question)
                answer = connection.recv(64)
            return bool(answer) and answer.startswith(beginning)
        response = local_http.get(endpoints[unit] + health()[unit], timeout=within * slow())
    except (OSError, httpx.HTTPError):
        return False
    return response.status_code == 200


def unanswered(endpoints: Mapping[str, str]) -> list[str]:
    """Return the servers that do not answer."""
    patience = {unit: SHORT_PATIENCE_SECONDS for unit in _silent}
    found = [u for u in SERVERS if not answers(endpoints, u, patience.get(u, PATIENCE_SECONDS))]
    _silent.clear()
    _silent.update(found)
    return found
