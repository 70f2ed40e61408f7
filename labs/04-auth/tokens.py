"""Access tokens: JSON Web Tokens signed with Ed25519.

Nothing here touches a database or a network: keys come in, claims come out.
Sources: RFC 7519 (JWT), RFC 8037 (EdDSA), RFC 8725 (best current practices).
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ALGORITHM = "EdDSA"
CLAIMS = ("iss", "aud", "sub", "iat", "nbf", "exp", "jti")
MAX_USER_ID = 2**63 - 1
"""The greatest id that a user can have: PostgreSQL keeps it as `bigint`."""
LEEWAY_SECONDS = 5
"""The clocks of two instances may differ by this much: one accepts a token that another has just issued, even
if it is "not yet" valid by its own clock. `exp` has no such tolerance (RFC 7519, sections 4.1.4 and
4.1.5)."""


class TokenRefused(Exception):
    """The token proves nothing; the text gives the reason, for the log and for learners."""


class UnknownKey(TokenRefused):
    """The token names a key that is not known (yet): the keys may have been renewed."""


@dataclass(frozen=True)
class Claims:
    """What a valid token states: the user's id, and its end in Unix seconds."""

    user_id: int
    expires: int


@dataclass(frozen=True)
class Issuer:
    """The issuer's `name`, the `audience` that its tokens are for, and their life in `seconds`."""

    name: str
    audience: str
    seconds: int


def issue(user_id: int, issuer: Issuer, key_id: str, key: Ed25519PrivateKey) -> str:
    """Return a token for `user_id`, valid from now for `issuer.seconds`, signed with `key`.

    Example: `issue(7, issuer, "k1", key)` has the claim `"sub": "7"` and the header `"kid": "k1"`.

    It has all seven CLAIMS: `iss` (issuer.name), `aud` (issuer.audience), `sub` (the id as a string), `iat`
    and `nbf` (now, in whole Unix seconds), `exp` (now plus issuer.seconds) and `jti` (`uuid4().hex`).
    `jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": key_id})` signs; the header names the key.
    """
    raise NotImplementedError("Lab 04, step 1: write issue")


def verify(token: str, issuer: Issuer, keys: Mapping[str, Ed25519PublicKey]) -> Claims:
    """Return the claims of a token that one of `keys` (by key id) signed for this issuer and audience.

    Example: `verify(issue(7, issuer, "k1", key), issuer, {"k1": key.public_key()})` returns `Claims(7, …)`;
    with `{}` for the keys it raises UnknownKey.

    Raises UnknownKey if the token names a key that is not in `keys`, and TokenRefused for everything else:
    another algorithm than ALGORITHM, no `kid`, a wrong signature, a missing claim, a wrong time, or a `sub`
    that is not a number from 1 to MAX_USER_ID in ASCII digits. The server fixes the algorithm; the token
    never chooses. `_user_id(sub)` returns the number, or raises TokenRefused.

    `jwt.get_unverified_header(token)` is a dict with `alg` and `kid`; nothing in it is proven yet.
    `jwt.decode(token, key, algorithms=[…], issuer=…, audience=…, leeway=LEEWAY_SECONDS,
    options={"require": […]})` returns the claims as a dict. Both raise jwt.InvalidTokenError. The leeway
    is for `nbf` and `iat`, but PyJWT applies it to `exp` as well: compare `exp` with `time.time()` yourself.
    """
    raise NotImplementedError("Lab 04, step 2: write verify")


def _user_id(subject: str) -> int:
    """Return the user's id from the claim `sub`. Raises TokenRefused unless it is one in ASCII digits.

    `int` alone would accept " 7 ", "+7" and digits of other alphabets, so one user would have several names.
    Raises ValueError for a number of more than 4,300 digits.
    """
    if not (subject.isascii() and subject.isdigit() and 0 < int(subject) <= MAX_USER_ID):
        raise TokenRefused("the subject is not a user id")
    return int(subject)
