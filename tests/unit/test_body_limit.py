"""The limit of request bodies, without a server: what happens at the last part."""

import asyncio
from collections.abc import Iterator

import pytest
from starlette.types import Message, Receive, Scope, Send

from civildiy.chassis.limits import BodyLimit

SCOPE: Scope = {"type": "http", "method": "POST", "path": "/", "headers": []}


async def read_all(scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body", False):
        pass
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def status_of(parts: list[bytes]) -> int:
    """Send a body in `parts`; afterwards the client stays connected and silent."""
    waiting: Iterator[tuple[int, bytes]] = iter(enumerate(parts, 1))
    statuses: list[int] = []

    async def receive() -> Message:
        found = next(waiting, None)
        if found is None:
            await asyncio.Event().wait()
        number, body = found or (0, b"")
        return {"type": "http.request", "body": body, "more_body": number < len(parts)}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await asyncio.wait_for(BodyLimit(read_all, limit=10)(SCOPE, receive, send), 2)
    return statuses[0]


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ([b"x" * 10], 204),
        ([b"x" * 11], 413),
        ([b"x" * 6, b"x" * 4], 204),
        ([b"x" * 6, b"x" * 5], 413),
        ([b"x" * 11, b"x", b"x"], 413),
    ],
    ids=["fits", "one part", "fits in parts", "the last part is over it", "an early part is over it"],
)
def test_a_refusal_never_waits_for_more(parts: list[bytes], status: int) -> None:
    assert asyncio.run(status_of(parts)) == status
