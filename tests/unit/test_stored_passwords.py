"""A login without a stored hash is compared with the hash of nobody, whose password opens no account."""

import asyncio

import pytest

from civildiy.auth.passwords import Passwords

NOBODY = "nobody has this password"


@pytest.mark.parametrize("stored", [None, ""])
def test_no_hash_is_never_matched(stored: str | None) -> None:
    assert not asyncio.run(Passwords().verify(NOBODY, stored))


def test_own_password_is_matched_and_another_one_is_not() -> None:
    async def seen() -> tuple[bool, bool]:
        passwords = Passwords()
        stored = await passwords.hash("oak")
        return await passwords.verify("oak", stored), await passwords.verify("elm", stored)

    assert asyncio.run(seen()) == (True, False)
