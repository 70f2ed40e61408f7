"""For containers: ask this very instance for its liveness, without curl and without a shell."""

import os
import sys
from http.client import HTTPConnection, HTTPException


def main() -> int:
    """0 when /health answers 200 within two seconds."""
    host = os.environ["SERVICE_HOST"]
    connection = HTTPConnection(host, int(os.environ.get("SERVICE_PORT", "5000")), timeout=2)
    try:
        connection.request("GET", "/health")
        return 0 if connection.getresponse().status == 200 else 1
    except (OSError, HTTPException):
        return 1


if __name__ == "__main__":
    sys.exit(main())
