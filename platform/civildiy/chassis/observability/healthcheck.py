"""Health check of a container: is this instance alive, and does the gateway reach it?

`python -m civildiy.chassis.observability.healthcheck URL`: until the gateway has answered
URL once, the instance is still starting. From then on only its own liveness counts, so that a gateway that is
down does not make every service look unhealthy. Without SERVICE_HOST, URL alone counts.

A worker has no port. It is alive while its heartbeat, the file HEARTBEAT_FILE, is recent. The image needs
neither curl nor a shell for this.
"""

import os
import socket
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

ROUTED = Path("/tmp/routed")  # noqa: S108 - a file system of the container's own, empty after each start

BEAT_SECONDS = 30.0
"""A worker with an older heartbeat hangs. One turn takes up to 20 s while a server is down."""


def beats(heartbeat: Path) -> bool:
    """Return whether the heartbeat of a worker is recent; `heartbeat` is its HEARTBEAT_FILE."""
    try:
        return time.time() - heartbeat.stat().st_mtime < BEAT_SECONDS
    except OSError:
        return False


def answers(url: str) -> bool:
    """Return whether a GET gets status 200 within two seconds.

    It uses a plain socket, because this runs every few seconds in each container, and an HTTP library takes
    longer to import than the request takes.
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
    """Return the exit code: 0 when healthy."""
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
