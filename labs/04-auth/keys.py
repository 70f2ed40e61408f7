"""The signing keys: made, kept and renewed.

PostgreSQL stores them, encrypted with a passphrase that only auth has, so all instances sign with and
accept the same keys. The newest key signs; older ones are accepted until their last token has expired.
`python -m civildiy.auth.keys rotate` makes a new one; running instances notice within seconds.
"""

import asyncio
import base64
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from psycopg import AsyncConnection

from civildiy.auth.schemas import PublicKey
from civildiy.auth.settings import AuthSettings
from civildiy.auth.users import Pool
from civildiy.chassis.errors import Unavailable

SCHEMA = """
CREATE TABLE IF NOT EXISTS signing_keys (
    kid         text PRIMARY KEY,
    private_pem bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);
"""
LOCK = 0x6B657973
"""Number of the advisory lock under which the first key is made."""
RELOAD_SECONDS = 1.0
"""Least time between two queries for unknown keys, so that invented key ids cost the database very little."""

REFRESH_SECONDS = 2.0
"""A renewed key is in use everywhere after this."""

Connection = AsyncConnection[Any]


class KeyRing:
    """The keys as one instance knows them."""

    def __init__(self, passphrase: str, token_seconds: int) -> None:
        self._passphrase = passphrase.encode()
        self._token_seconds = token_seconds
        self._looked = float("-inf")
        self._looking = asyncio.Lock()
        self._signing: tuple[str, Ed25519PrivateKey] | None = None
        self.public: dict[str, Ed25519PublicKey] = {}

    @property
    def signing(self) -> tuple[str, Ed25519PrivateKey]:
        """Id and private key for new tokens. Raises Unavailable before the first load."""
        if self._signing is None:
            raise Unavailable("postgresql", "The signing keys are not loaded yet; try again.")
        return self._signing

    async def load(self, pool: Pool) -> None:
        """Read all keys that are still needed from the database into this object. Raises psycopg.Error.

        Example: after the rows `[("k2", …), ("k1", …)]`, `self._signing[0]` is "k2", and `self.public` has
        both ids.

        `async with pool.connection() as connection`, then `await self._rows(connection)`: a list of (key id,
        encrypted private key), newest first, without keys whose last token has expired. `self._decrypt(pem)`
        returns a private key; its `public_key()` is the public half. Set `self._signing` to (id, private key)
        of the newest, and `self.public` to the public keys by id. Without rows leave both as they are.
        """
        raise NotImplementedError("Lab 04, step 5: write KeyRing.load")

    async def look_again(self, pool: Pool) -> None:
        """Load the keys because a token names an unknown one. Raises psycopg.Error.

        Requests that come meanwhile wait for the same query, and requests within RELOAD_SECONDS after it make
        no new one. The regular reload does not count, or no token would ever cause a query.
        """
        async with self._looking:
            if time.monotonic() - self._looked > RELOAD_SECONDS:
                try:
                    await self.load(pool)
                finally:
                    self._looked = time.monotonic()

    async def ensure(self, connection: Connection) -> None:
        """Make the first key if there is none; several instances may try at once."""
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
            if not await self._rows(connection):
                await self.rotate(connection)

    async def rotate(self, connection: Connection) -> str:
        """Make a new signing key and return its id."""
        key = Ed25519PrivateKey.generate()
        kid = base64.urlsafe_b64encode(key.public_key().public_bytes_raw()[:12]).decode()
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(self._passphrase),
        )
        await connection.execute("INSERT INTO signing_keys (kid, private_pem) VALUES (%s, %s)", (kid, pem))
        return kid

    def published(self) -> list[PublicKey]:
        """The public keys as the JWKS lists them."""
        return [
            PublicKey(
                kid=kid,
                x=base64.urlsafe_b64encode(key.public_bytes_raw()).decode().rstrip("="),
            )
            for kid, key in self.public.items()
        ]

    async def _rows(self, connection: Connection) -> Sequence[tuple[str, bytes]]:
        # A key is needed as long as a token that it signed before it was replaced is good.
        cursor = await connection.execute(
            "SELECT kid, private_pem FROM ("
            "  SELECT *, lag(created_at) OVER (ORDER BY created_at DESC, kid) AS replaced_at"
            "  FROM signing_keys) AS k"
            " WHERE replaced_at IS NULL OR replaced_at > now() - %s"
            " ORDER BY created_at DESC, kid",
            (timedelta(seconds=self._token_seconds + 60),),
        )
        return await cursor.fetchall()

    def _decrypt(self, pem: bytes) -> Ed25519PrivateKey:
        key = serialization.load_pem_private_key(bytes(pem), self._passphrase)
        assert isinstance(key, Ed25519PrivateKey)
        return key


async def _rotate_now() -> None:
    from civildiy.chassis.clients.postgres import connection_info
    from civildiy.chassis.settings import load_settings

    settings = load_settings(AuthSettings)
    ring = KeyRing(settings.signing_key_passphrase.get_secret_value(), settings.token_seconds)
    async with await AsyncConnection.connect(connection_info(settings, "auth")) as connection:
        print("new signing key:", await ring.rotate(connection))


if __name__ == "__main__":
    if sys.argv[1:] != ["rotate"]:
        sys.exit("usage: python -m civildiy.auth.keys rotate")
    asyncio.run(_rotate_now())
