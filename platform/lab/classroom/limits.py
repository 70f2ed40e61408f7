"""Limits that keep the collector small and reachable: requests by address, bodies by size and time."""

import asyncio
from asyncio import Transport
from collections import OrderedDict
from typing import Any

from starlette.requests import Request
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS, BODY_SECONDS = 10.0, 5.0
MOST_ADDRESSES = 1000
MOST_CONNECTIONS = 40
"""Connections from one address at once. Learners need one for a moment; loopback has no limit."""

UNLIMITED = ("127.", "::1")


class Allowance:
    """So many events a second for each address, and more at first; the oldest addresses are forgotten."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str, now: float) -> bool:
        """Count an event; return False when the address has used up its allowance."""
        left, since = self._left.pop(address, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._rate)
        allowed = left >= 1
        self._left[address] = (left - allowed, now)
        while len(self._left) > MOST_ADDRESSES:
            self._left.popitem(last=False)
        return allowed

    def __len__(self) -> int:
        return len(self._left)


class TooMuch(Exception):
    """Raised for a body that is too large, or that does not arrive in time."""


async def body_of(request: Request, most: int) -> bytes:
    """Return the body of a request. Raises TooMuch as soon as it exceeds a limit."""
    found = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                found += part
                if len(found) > most:
                    raise TooMuch(f"The body is larger than {most:,} bytes.")
    except TimeoutError:
        raise TooMuch(f"The body did not arrive within {BODY_SECONDS:.0f} s.") from None
    return bytes(found)


class ImpatientProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which closes connections that send no request, and too many from one address."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Accept a connection, and give it HEAD_SECONDS for the head of its first request."""
        super().connection_made(transport)
        if self._crowded():
            transport.close()
            return
        self._waiting = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _crowded(self) -> bool:
        address = self.client[0] if self.client else ""
        if address.startswith(UNLIMITED):
            return False
        others: Any = self.server_state.connections
        count: int = sum(bool(each.client) and each.client[0] == address for each in others)
        return count > MOST_CONNECTIONS

    def _give_up(self) -> None:
        if self.cycle is None:
            self.transport.close()
