"""A token is valid for one issuer, one audience and a limited time, and names a known key."""

import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from civildiy.auth.tokens import LEEWAY_SECONDS, MAX_USER_ID, Issuer, TokenRefused, UnknownKey, issue, verify

KEY = Ed25519PrivateKey.generate()
KEYS = {"k1": KEY.public_key()}
DAY = 24 * 60 * 60
"""These times are made when the tests are collected; a long run may begin with them much later."""
ISSUER = Issuer("us", "everybody", 60)
GOOD = {
    "iss": "us", "aud": "everybody", "sub": "7", "iat": int(time.time()), "nbf": int(time.time()),
    "exp": int(time.time()) + DAY, "jti": "x",
}  # fmt: skip


def signed(claims: dict[str, Any], **header: Any) -> str:
    return jwt.encode(claims, KEY, algorithm="EdDSA", headers={"kid": "k1", **header})


def test_good_token() -> None:
    assert verify(issue(7, ISSUER, "k1", KEY), ISSUER, KEYS).user_id == 7
    assert verify(signed(GOOD), ISSUER, KEYS).user_id == 7
    assert verify(signed(GOOD | {"sub": str(MAX_USER_ID)}), ISSUER, KEYS).user_id == MAX_USER_ID


@pytest.mark.parametrize(
    "change",
    [
        {"exp": int(time.time()) - 1}, {"nbf": int(time.time()) + DAY}, {"iss": "them"},
        {"aud": "others"}, {"sub": "0"}, {"sub": "-1"}, {"sub": "admin"}, {"sub": "\u0667"},
        {"sub": str(MAX_USER_ID + 1)}, {"sub": "7" * 3000}, {"sub": "7" * 6000},
    ],
)  # fmt: skip
def test_wrong_claims(change: dict[str, Any]) -> None:
    with pytest.raises(TokenRefused):
        verify(signed(GOOD | change), ISSUER, KEYS)


@pytest.mark.parametrize("claim", GOOD)
def test_missing_claims(claim: str) -> None:
    with pytest.raises(TokenRefused):
        verify(signed({name: value for name, value in GOOD.items() if name != claim}), ISSUER, KEYS)


def test_unknown_and_unnamed_keys() -> None:
    with pytest.raises(UnknownKey):
        verify(signed(GOOD, kid="k2"), ISSUER, KEYS)
    with pytest.raises(TokenRefused):
        verify(jwt.encode(GOOD, KEY, algorithm="EdDSA"), ISSUER, KEYS)


@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_a_clock_that_is_behind(claim: str) -> None:
    """A token from another instance is good a few seconds before it begins, and not earlier."""
    now = int(time.time())
    assert verify(signed(GOOD | {claim: now + LEEWAY_SECONDS}), ISSUER, KEYS).user_id == 7
    with pytest.raises(TokenRefused):
        verify(signed(GOOD | {claim: now + LEEWAY_SECONDS + 2}), ISSUER, KEYS)


def test_a_token_ends_when_it_says() -> None:
    now = int(time.time())
    assert verify(signed(GOOD | {"exp": now + 2}), ISSUER, KEYS).expires == now + 2
    for end in (now, now - LEEWAY_SECONDS + 1):
        with pytest.raises(TokenRefused):
            verify(signed(GOOD | {"exp": end}), ISSUER, KEYS)
