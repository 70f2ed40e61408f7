"""Password hashes: Argon2id with the parameters that OWASP names as the least.

Source: https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html
"""

import asyncio

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

AT_ONCE = 2
"""Hashing is slow and takes 19 MiB by design: this bounds what a burst of logins can cost."""


class Passwords:
    """Hashes and verifies in threads, a few at a time, so the event loop stays free."""

    def __init__(self) -> None:
        self._hasher = PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1),))
        self._free = asyncio.Semaphore(AT_ONCE)
        # Compared against when there is no such user, so that both answers take the same time.
        self._nobody = self._hasher.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        """The hash to store, with its parameters and its own salt."""
        async with self._free:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def verify(self, password: str, stored: str | None) -> bool:
        """Whether `password` belongs to the hash `stored`; None stands for an unknown user."""
        async with self._free:
            good = await asyncio.to_thread(self._matches, password, stored or self._nobody)
        return good and stored is not None

    def _matches(self, password: str, stored: str) -> bool:
        try:
            return self._hasher.verify(password, stored)
        except (UnknownHashError, UnicodeEncodeError):
            return False
