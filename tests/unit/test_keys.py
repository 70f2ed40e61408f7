"""Tokens that name an unknown key make auth look for new keys, but not each of them."""

import asyncio
from typing import cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from civildiy.auth import keys
from civildiy.auth.keys import KeyRing
from civildiy.auth.tokens import Issuer, UnknownKey, issue
from civildiy.auth.users import Pool
from civildiy.auth.validation import Validator

ISSUER = Issuer("us", "everybody", 60)
KEY = Ed25519PrivateKey.generate()
NO_POOL = cast(Pool, None)


class Ring(KeyRing):
    """A ring whose looks are counted; the database has one key."""

    def __init__(self) -> None:
        super().__init__("passphrase of a test", 60)
        self.looks = 0
        self.stored = {"old": KEY.public_key()}

    async def load(self, pool: Pool) -> None:
        self.looks += 1
        await asyncio.sleep(0.01)  # as a database takes its time
        self.public = dict(self.stored)


async def ask(validator: Validator, kid: str) -> object:
    try:
        return await validator.user_id(f"Bearer {issue(7, ISSUER, kid, KEY)}")
    except UnknownKey:
        return "refused"


def test_invented_key_ids_cost_one_look() -> None:
    async def attack() -> tuple[list[object], int]:
        ring = Ring()
        validator = Validator(ring, ISSUER, NO_POOL)
        answers = await asyncio.gather(*(ask(validator, f"invented-{n}") for n in range(200)))
        return answers, ring.looks

    assert asyncio.run(attack()) == (["refused"] * 200, 1)


def test_a_new_key_is_found_by_its_first_tokens_whatever_the_regular_looks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def rotated() -> list[object]:
        ring = Ring()
        validator = Validator(ring, ISSUER, NO_POOL)
        await ask(validator, "invented")
        await asyncio.sleep(0.06)
        await ring.load(NO_POOL)  # a regular look, just before the new key is made
        ring.stored["new"] = KEY.public_key()
        return await asyncio.gather(*(ask(validator, "new") for _ in range(20)))

    monkeypatch.setattr(keys, "RELOAD_SECONDS", 0.05)
    assert asyncio.run(rotated()) == [7] * 20
