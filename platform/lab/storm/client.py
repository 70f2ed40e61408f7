"""An HTTP client for load: one kept connection, no retries; a missing answer is an outcome of its own."""

import http.client
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

TIMEOUT_SECONDS = 6.0


@dataclass(frozen=True)
class Answer:
    """An answer. `status` is 0 without one: then nobody knows whether the request was executed."""

    status: int
    body: bytes
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        """Whether the status is 4xx, so the change was not made."""
        return 400 <= self.status < 500

    def json(self) -> Any:
        """Return the body as JSON. Raises ValueError."""
        return orjson.loads(self.body)


class Caller:
    """Sends requests to one address, one after the other."""

    def __init__(self, address: str, token: str = "", timeout: float = TIMEOUT_SECONDS) -> None:
        parts = urlsplit(address)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=timeout)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def call(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request and return its answer."""
        all_headers = {**self._headers, **(headers or {})}
        data = None
        if body is not None:
            data = orjson.dumps(body)
            all_headers["Content-Type"] = "application/json"
        began = time.monotonic()
        try:
            self._connection.request(method, path, data, all_headers)
            response = self._connection.getresponse()
            answer = Answer(response.status, response.read(), time.monotonic() - began)
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return Answer(0, b"", time.monotonic() - began)
        if answer.status >= 500:
            # The gateway may be restarting, which closes the connection anyway: use a new one.
            self._connection.close()
        return answer

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
