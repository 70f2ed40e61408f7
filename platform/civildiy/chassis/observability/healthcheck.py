"""For containers: is this instance alive, and does the gateway reach it? Without curl, without a shell.

`python -m civildiy.chassis.observability.healthcheck URL`: until the gateway has answered
that once, the instance is still starting; from then on only its own liveness counts, so that a dead
gateway does not make every service look dead. Where there is no SERVICE_HOST, the given address alone counts.

A worker listens nowhere: it is alive while it goes round, which HEARTBEAT_FILE shows.
"""

import os
import socket
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

ROUTED = Path("/tmp/routed")  # noqa: S108 - a file system of the container's own, empty after each start

BEAT_SECONDS = 30.0
"""A worker whose last beat is older hangs. One turn takes up to 20 s while a server is away."""


def beats(heartbeat: Path) -> bool:
    """Whether a worker has gone round lately; `heartbeat` is its HEARTBEAT_FILE."""
    try:
        return time.time() - heartbeat.stat().st_mtime < BEAT_SECONDS
    except OSError:
        return False


def answers(url: str) -> bool:
    """Whether a GET is answered 200 within two seconds.

    By a bare socket: this runs every few seconds in each container, and a library for HTTP takes
    longer to import than the question takes.
    """
    parts = urlsplit(url)
    request = f"GET {parts.path or '/'} HTTP/1.0\r\nHost: {parts.hostname}\r\n\r\n"
    try:
        with socket.create_connection((parts.hostname, parts.port or 80), 2) as connection:
            connection.sendall(request.encode())
            with connection.makefile("rb") as answer:
                return answer.readline(100).split()[1:2] == [b"200"]
    except OSError:
        return False


def main(gateway: str = "") -> int:
    """Exit code: 0 when healthy."""
    if heartbeat := os.environ.get("HEARTBEAT_FILE"):
        return 0 if beats(Path(heartbeat)) else 1
    if "SERVICE_HOST" not in os.environ:
        return 0 if answers(gateway) else 1
    if not answers(f"http://{os.environ['SERVICE_HOST']}:{os.environ.get('SERVICE_PORT', '5000')}/health"):
        return 1
    if gateway and not ROUTED.exists():
        if not answers(gateway):
            return 1
        ROUTED.touch()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
