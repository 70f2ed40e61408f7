"""/ready answers in time, whatever a driver does."""

import asyncio
import time

import pytest

from civildiy.chassis import app
from civildiy.chassis.app import failing


async def answers() -> None:
    """Do nothing, like a dependency that answers."""


async def refuses() -> None:
    raise ConnectionRefusedError


async def is_stubborn() -> None:
    # psycopg does so: after a cancel it waits for a server that does not confirm it.
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        await asyncio.sleep(2)
        raise OSError("gave up at last") from None


def test_names_what_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "READINESS_SECONDS", 0.05)
    began = time.monotonic()
    checks = {"there": answers, "away": refuses, "frozen": is_stubborn}
    loop = asyncio.new_event_loop()
    try:
        assert loop.run_until_complete(failing(checks)) == ["away", "frozen"]
        assert time.monotonic() - began < 1
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()
