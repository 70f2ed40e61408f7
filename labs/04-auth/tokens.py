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
LEEWAY_SECONDS = 5
"""So far the clocks of two instances may differ: one takes a token that another has issued a moment ago, even
if it is "not yet" valid by its own clock. A token still ends when it says (RFC 7519, section 4.1.4 and 5)."""


class TokenRefused(Exception):
    """The token does not prove anything; the text says why, for the log and for learners."""


class UnknownKey(TokenRefused):
    """The token names a key that is not known (yet): the keys may have been renewed."""


@dataclass(frozen=True)
class Claims:
    """What a good token says: who it is for, and until when (Unix seconds)."""

    user_id: int
    expires: int


@dataclass(frozen=True)
class Issuer:
    """Who issues tokens and for whom; both are checked when a token comes back."""

    name: str
    audience: str
    seconds: int


def issue(user_id: int, issuer: Issuer, key_id: str, key: Ed25519PrivateKey) -> str:
    """A token for `user_id`, good from now for `issuer.seconds`, that names the key it needs."""
    raise NotImplementedError("Lab 04, step 1: write issue")


def verify(token: str, issuer: Issuer, keys: Mapping[str, Ed25519PublicKey]) -> Claims:
    """The claims of a token that one of `keys` signed for this issuer and audience.

    Raises UnknownKey when the token names another key, TokenRefused for everything else. The
    algorithm is ours, never the token's: `none`, or HMAC with a public key, gets nowhere.
    """
    raise NotImplementedError("Lab 04, step 2: write verify")
