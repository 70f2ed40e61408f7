"""Bounds for pages of a list: how many entries are read at once, and how large an answer may become.

100 of the longest posts are 8 MB: in the database's answer, in the driver, and in the reply until its reader
has taken it. Eight such readers at once needed more memory than the units have on Compose.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from civildiy.chassis.errors import Unavailable

PAGE_BYTES = 512 * 1024
"""A page ends before the entry that would make it larger; its `next` leads on. One entry always fits."""

SHORT = 20
"""A page of more entries is a long one."""
SHORT_AT_ONCE = 8
LONG_AT_ONCE = 1
WAIT_SECONDS = 2.0


class PageTurns:
    """Lets so many pages be read at once that memory suffices, whatever the size of their entries."""

    def __init__(self, store: str) -> None:
        """`store` is the unit that holds the entries."""
        self._store = store
        self._short = asyncio.Semaphore(SHORT_AT_ONCE)
        self._long = asyncio.Semaphore(LONG_AT_ONCE)

    @asynccontextmanager
    async def turn(self, entries: int) -> AsyncIterator[None]:
        """Wait until a page of so many entries may be read. Raises Unavailable after WAIT_SECONDS.

        Without that limit, the requests behind a store that hangs would wait for each other's timeouts, and
        the gateway would give up first.
        """
        turns = self._long if entries > SHORT else self._short
        try:
            if turns.locked():
                async with asyncio.timeout(WAIT_SECONDS):
                    await turns.acquire()
            else:
                await turns.acquire()  # at once; a timer would cost more than the turn
        except TimeoutError:
            detail = f"{self._store} is busy with earlier pages; try again, or ask for fewer entries."
            raise Unavailable(self._store, detail) from None
        try:
            yield
        finally:
            turns.release()
