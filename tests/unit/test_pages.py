"""Pages of a list are bounded: in bytes, and in how many of them are read at once."""

import asyncio
from datetime import UTC, datetime

import pytest
from bson import ObjectId

from civildiy.chassis import pages
from civildiy.chassis.errors import Unavailable
from civildiy.chassis.pages import PAGE_BYTES, PageTurns
from civildiy.posts.document import StoredPost
from civildiy.posts.schemas import fitting


def post(content: str) -> StoredPost:
    time = datetime.now(UTC)
    return {
        "_id": ObjectId(), "user_id": 1, "title": "t", "content": content, "tags": [], "created_at": time,
        "updated_at": time, "expires_at": None, "version": 1, "deleted": False,
    }  # fmt: skip


def test_a_page_of_long_posts_ends_early() -> None:
    stored = [post("\N{HAMMER}" * 20_000) for _ in range(10)]
    assert [item.id for item in fitting(stored)] == [str(each["_id"]) for each in stored[:6]]


def test_short_posts_all_fit_and_the_first_one_always() -> None:
    assert len(fitting([post("x" * 100)] * 100)) == 100
    assert len(fitting([post("x" * (PAGE_BYTES + 1))] * 2)) == 1
    assert fitting([]) == []


def most_at_once(turns: PageTurns, sizes: list[int]) -> int:
    most = now = 0

    async def read(size: int) -> None:
        nonlocal most, now
        async with turns.turn(size):
            now += size
            most = max(most, now)
            await asyncio.sleep(0.001)
            now -= size

    async def everybody() -> None:
        await asyncio.gather(*map(read, sizes))

    asyncio.run(everybody())
    return most


def test_so_many_entries_are_read_at_once() -> None:
    assert most_at_once(PageTurns("redis"), [100, 20, 21] * 20) <= 100 + 8 * 20
    assert most_at_once(PageTurns("redis"), [20] * 40) == 8 * 20  # short pages do not wait for each other


def test_a_store_that_hangs_is_named_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "WAIT_SECONDS", 0.05)
    turns = PageTurns("redis")

    async def two_readers() -> None:
        async with turns.turn(100):
            with pytest.raises(Unavailable, match="redis is busy"):
                async with turns.turn(100):
                    pass
        async with turns.turn(100):  # the turn that was not taken is not lost
            pass

    asyncio.run(two_readers())
