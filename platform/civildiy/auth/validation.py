"""Validates tokens for the gateway, which asks about every protected request.

The answer comes from memory: no query goes to the database while the keys are known, and a token that
proved valid is remembered until it expires.
"""

import logging
import time
from collections import OrderedDict

from psycopg import Error
from psycopg_pool import PoolTimeout

from civildiy.auth.keys import KeyRing
from civildiy.auth.tokens import Claims, Issuer, TokenRefused, UnknownKey, verify
from civildiy.auth.users import Pool
from civildiy.chassis.errors import Unavailable

log = logging.getLogger(__name__)

REMEMBERED = 10_000
LONGEST_TOKEN = 4096


class Validator:
    """Validates tokens with the keys of one ring."""

    def __init__(self, ring: KeyRing, issuer: Issuer, pool: Pool) -> None:
        self._ring = ring
        self._issuer = issuer
        self._pool = pool
        self._good: OrderedDict[str, Claims] = OrderedDict()

    async def user_id(self, authorization: str | None) -> int:
        """Return the user id of an Authorization header. Raises TokenRefused, and Unavailable without keys.

        Example: `await user_id("Bearer eyJ…")` is 7 for a valid token of user 7; `await user_id(None)` raises
        TokenRefused.

        `bearer_token(authorization)` returns the token of "Bearer <token>" (raises TokenRefused).
        `self._good` maps tokens that proved valid to their Claims. For other tokens use `await
        self._verify(token)`, which raises TokenRefused, and store the answer with `self._remember(token,
        claims)`. A stored token whose `claims.expires` (Unix seconds) has come is refused, and removed from
        `self._good`.
        """
        token = bearer_token(authorization)
        claims = self._good.get(token)
        if claims is None:
            claims = await self._verify(token)
            self._remember(token, claims)
        elif claims.expires <= time.time():
            del self._good[token]
            raise TokenRefused("Signature has expired")
        return claims.user_id

    async def _verify(self, token: str) -> Claims:
        try:
            return verify(token, self._issuer, self._ring.public)
        except UnknownKey:
            try:
                await self._ring.look_again(self._pool)
            except (Error, PoolTimeout) as error:
                log.warning("keys not reloaded: %s", error)
        if not self._ring.public:
            # Started without PostgreSQL: without keys nobody can tell whether the token is valid.
            raise Unavailable("postgresql")
        return verify(token, self._issuer, self._ring.public)

    def _remember(self, token: str, claims: Claims) -> None:
        self._good[token] = claims
        if len(self._good) > REMEMBERED:
            self._good.popitem(last=False)


def bearer_token(authorization: str | None) -> str:
    """The token of 'Bearer <token>'. Raises TokenRefused."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise TokenRefused("there is no bearer token")
    if len(token) > LONGEST_TOKEN:
        raise TokenRefused(f"the token is longer than {LONGEST_TOKEN} characters")
    return token.strip()
