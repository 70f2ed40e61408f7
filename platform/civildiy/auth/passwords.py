"""Password hashes: Argon2id with the smallest parameters that OWASP recommends.

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
        """Return the hash to store; it contains its parameters and a salt of its own.

        Example: `await hash("oak")` returns "$argon2id$v=19$m=19456,t=2,p=1$…".

        `self._hasher.hash(password)` takes tens of milliseconds and blocks, so run it in a thread: `await
        asyncio.to_thread(function, argument)`, inside `async with self._free`, which admits AT_ONCE.
        """
        async with self._free:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def verify(self, password: str, stored: str | None) -> bool:
        """Return whether `password` belongs to the hash `stored`; None stands for an unknown user.

        Example: `await verify("oak", await hash("oak"))` is True, and `await verify("oak", None)` is False.

        An unknown user must cost the same time as a wrong password, so compare in both cases: against
        `self._nobody` if there is no hash. The answer for None is always False. `self._matches(password,
        hash)` blocks like `hash` does: run it in the same way.
        """
        async with self._free:
            good = await asyncio.to_thread(self._matches, password, stored or self._nobody)
        return good and bool(stored)

    def _matches(self, password: str, stored: str) -> bool:
        try:
            return self._hasher.verify(password, stored)
        except (UnknownHashError, UnicodeEncodeError):
            return False
