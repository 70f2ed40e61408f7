"""Background work ends before its service does, and reports why it failed."""

import asyncio
import logging

import pytest

from civildiy.chassis.background import in_background


def test_work_is_cancelled_and_awaited() -> None:
    steps: list[str] = []

    async def work() -> None:
        steps.append("began")
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # closing takes time, and the caller waits for it
            steps.append("ended")

    async def service() -> None:
        async with in_background(work()):
            await asyncio.sleep(0)
            steps.append("served")
        steps.append("closed the pool")

    asyncio.run(service())
    assert steps == ["began", "served", "ended", "closed the pool"]


def test_a_failure_is_logged_and_does_not_stop_the_service(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        raise ValueError("a mistake")

    async def service() -> None:
        async with in_background(work()):
            await asyncio.sleep(0)

    with caplog.at_level(logging.ERROR):
        asyncio.run(service())
    assert [record.getMessage() for record in caplog.records] == ["background work failed: a mistake"]


def test_an_error_of_the_service_stays_an_error() -> None:
    async def service() -> None:
        async with in_background(asyncio.sleep(60)):
            raise LookupError

    with pytest.raises(LookupError):
        asyncio.run(service())
