"""An HTTP client for load: one kept connection, no retries, and 'no answer' as an outcome of its own."""

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
    """What came back. `status` is 0 when nothing did: then nobody knows whether it was carried out."""

    status: int
    body: bytes
    seconds: float

    @property
    def ok(self) -> bool:
        """2xx."""
        return 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        """4xx: the change was not made."""
        return 400 <= self.status < 500

    def json(self) -> Any:
        """The body as JSON. Raises ValueError."""
        return orjson.loads(self.body)


class Caller:
    """Calls one address, one request after the other."""

    def __init__(self, address: str, token: str = "", timeout: float = TIMEOUT_SECONDS) -> None:
        parts = urlsplit(address)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=timeout)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def call(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request and read its answer."""
        given = {**self._headers, **(headers or {})}
        data = None
        if body is not None:
            data = orjson.dumps(body)
            given["Content-Type"] = "application/json"
        began = time.monotonic()
        try:
            self._connection.request(method, path, data, given)
            answer = self._connection.getresponse()
            found = Answer(answer.status, answer.read(), time.monotonic() - began)
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return Answer(0, b"", time.monotonic() - began)
        if found.status >= 500:
            # A gateway that restarts closes it anyway; a new connection gets a new chance.
            self._connection.close()
        return found

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()
