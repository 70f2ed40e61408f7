"""issue() and verify() called beside the system, with issuers and keys that the check chooses."""

import json
import time
from collections.abc import Callable
from random import Random
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from grading.learner_process import beside
from grading.outcome import require
from grading.plugin import check

from civildiy.auth.tokens import MAX_USER_ID
from lab.course.exercise import Exercise
from lab04_auth.programs import TOKENS, asked, public_hex
from lab04_auth.zones import issued_elsewhere, same_times, verified_elsewhere

MODULE = ("civildiy.auth.tokens",)
SECONDS = 120
CLAIM_MEANS = {
    "iss": "`issue` must take the issuer from `issuer.name`: another system would set another name.",
    "aud": "`issue` must take the audience from `issuer.audience`: it keeps the token out of other systems.",
    "sub": "The subject is the text of `user_id`; the gateway passes it on as X-User-ID.",
    "kid": "The header must name the key that was given: verifiers look the public half up by this id.",
    "lifetime": "`exp` must be `iat` plus `issuer.seconds`: the keys are kept just as long as tokens live.",
    "iat": "The time must be read at each call, and cut to whole seconds by `int`. A time that is"
    " read once, when"
    " the module is imported or as a default value, makes tokens that are old when they are issued;"
    " one that is"
    " rounded up makes tokens that are not valid yet.",
    "nbf": "All names of `CLAIMS` belong into the token; `nbf` says from when on it is valid, which is now.",
    "jti": "`jti` tells two tokens apart, so each call needs a new one.",
    "signature": "The token must be signed with the key that was given, by EdDSA.",
}


@check(points=2)
def test_token_from_what_issue_is_given(lab: Exercise, rng: Random) -> None:
    """A token holds what issue() was given, and the time of the call"""
    key = Ed25519PrivateKey.generate()
    name, audience, kid = (f"{what}-{rng.getrandbits(32):x}" for what in ("issuer", "audience", "key"))
    question = {
        "issuer": [name, audience, SECONDS],
        "user": 41,
        "kid": kid,
        "key": key.private_bytes_raw().hex(),
    }
    did = f"called issue(41, Issuer('{name}', '{audience}', {SECONDS}), '{kid}', key) twice"
    with beside(lab, "auth", TOKENS, only=MODULE) as module:
        asked(module, "issue() to return", question)
        time.sleep(1.1)  # a time that was read at the import is older than this
        while not 0.6 < time.time() % 1 < 0.8:  # a time that is rounded up is ahead of the call
            time.sleep(0.01)
        began = int(time.time())
        tokens = [str(asked(module, "issue() to return", question)) for _ in range(2)]
        ended = time.time()
        elsewhere = issued_elsewhere(module, question)
    try:
        headers = [jwt.get_unverified_header(token) for token in tokens]
        claims = [jwt.decode(token, options={"verify_signature": False}) for token in tokens]
    except jwt.InvalidTokenError as error:
        means = "What `issue` returns must be a signed JSON Web Token as text."
        require(False, did, expected="a token", saw=f"{tokens[0][:60]} ({error})", means=means)
    said = claims[0]
    iat, nbf, exp = (
        said.get(claim) if isinstance(said.get(claim), int) else None for claim in ("iat", "nbf", "exp")
    )
    wanted: dict[str, tuple[object, object]] = {
        "iss": (name, said.get("iss")), "aud": (audience, said.get("aud")), "sub": ("41", said.get("sub")),
        "kid": (kid, headers[0].get("kid")),
        "iat": (True, iat is not None and began <= iat <= ended),
        "lifetime": (SECONDS, None if iat is None or exp is None else exp - iat),
        "nbf": (True, nbf is not None and began - 5 <= nbf <= ended),
        "jti": (True, bool(said.get("jti")) and said.get("jti") != claims[1].get("jti")),
        "signature": (True, _signed(tokens[0], key, audience)),
    }  # fmt: skip
    for claim, (right, found) in wanted.items():
        require(
            found == right,
            did,
            expected=_in_words(claim, right, began),
            saw=f"header {headers[0]}, claims {said}" + (" in both tokens" if claim == "jti" else ""),
            means=CLAIM_MEANS[claim],
        )
    same_times(elsewhere, began, SECONDS)


def _signed(token: str, key: Ed25519PrivateKey, audience: str) -> bool:
    try:
        jwt.decode(token, key.public_key(), algorithms=["EdDSA"], audience=audience, leeway=5)
    except jwt.InvalidTokenError:
        return False
    return True


def _in_words(claim: str, right: object, began: int) -> str:
    words = {
        "iat": f"`iat` at the time of the call (Unix time {began})",
        "nbf": f"`nbf` at the time of the call (Unix time {began})",
        "jti": "another `jti` in each token",
        "lifetime": f"`exp` {SECONDS} s after `iat`",
        "signature": "a signature of the given key",
    }
    return words.get(claim, f"`{claim}` {right!r}")


REQUIRED = (
    "Every claim of `CLAIMS` must be required; a token without one of them says less than its"
    " issuer promised."
)
SUBJECT = (
    "A subject that is not the decimal number of a user must raise TokenRefused. `int` alone also accepts a"
    " sign, spaces, underscores and the digits of other scripts: ask `isascii()` and `isdigit()` first."
)
TOO_GREAT = (
    "No user can have such an id: `sub` must be a number from 1 to `MAX_USER_ID`. A greater one"
    " fails later, in"
    " every query that uses it, and Python refuses to read a number of more than 4,300 digits: it raises"
    " ValueError."
)
END = "`LEEWAY_SECONDS` allows for clocks that differ at the start of a token. A token still ends at `exp`."
EARLY = (
    "The clock of the instance that issued the token is a few seconds ahead. Within `LEEWAY_SECONDS` the"
    " token must be"
    " accepted, or users are logged out right after they logged in."
)
LATER = "`nbf` says from when on a token is valid, and `LEEWAY_SECONDS` is the most that clocks may differ."
NAMED = (
    "The signature must be that of the key which the header names in `kid`. Trying other keys makes"
    " a stolen old"
    " key as good as each new one."
)
OURS = "`verify` must compare with the issuer and audience that it was given, not with fixed names."
KEY = (
    "Only UnknownKey makes the caller load the keys again. With TokenRefused, tokens of a renewed key are"
    " refused until"
    " the next regular load; with UnknownKey for everything, each bad token causes a load."
)
ERRORS = (
    "`verify` must turn every error of the library (jwt.InvalidTokenError, ValueError) into"
    " TokenRefused. Any other"
    " error becomes a 500 at the gateway."
)
NOISE = "What is not a token must raise TokenRefused: any other error becomes a 500 at the gateway."
REFUSED = "TokenRefused"
TIMED = ("a good token", "a token that ended 2 s ago", "a token that begins 60 s from now")
"""Cases that time decides."""


@check(points=2)
def test_verify_at_the_edges(lab: Exercise) -> None:
    """verify() decides right about times, subjects, missing claims, unknown keys, text that is no token"""
    key, another = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    keys = {"key-0": public_hex(another), "key-1": public_hex(key)}
    with beside(lab, "auth", TOKENS, only=MODULE) as module:
        given = {"issuer": ["issuer-1", "audience-1", 600], "keys": keys}
        cases = _cases(key, another)
        for case, token, wanted, means in cases:
            text = token if isinstance(token, str) else token()
            said = asked(module, f"verify() to return for {case}", given | {"token": text})
            require(
                said == wanted,
                f"called verify() beside the system with {case}",
                expected=f"claims of {wanted}" if wanted.startswith("user") else f"{wanted} to be raised",
                saw=f"claims of {said}" if str(said).startswith("user ") else f"{said} was raised",
                means=_means(str(said), wanted, means),
            )
        verified_elsewhere(module, given, [found for found in cases if found[0] in TIMED])


def _means(said: str, wanted: str, means: str) -> str:
    if said.startswith("user "):
        return NAMED if wanted == "UnknownKey" else means
    if {said, wanted} <= {REFUSED, "UnknownKey"}:
        return KEY if said == "UnknownKey" else means
    return means if said in (REFUSED, "UnknownKey") else ERRORS


def _cases(
    key: Ed25519PrivateKey, another: Ed25519PrivateKey
) -> list[tuple[str, str | Callable[[], str], str, str]]:
    """The name of the case, the token, what must come, and what it means if something else comes."""
    now = int(time.time())
    good: dict[str, Any] = {
        "iss": "issuer-1", "aud": "audience-1", "sub": "7", "iat": now, "nbf": now, "exp": now + 500,
    }  # fmt: skip

    def token(kid: str | None = "key-1", key: Ed25519PrivateKey = key, **other: Any) -> str:
        said = {n: value for n, value in (good | {"jti": uuid4().hex} | other).items() if value is not None}
        return jwt.api_jws.encode(  # jwt.encode refuses subjects that are no text
            json.dumps(said).encode(),
            key,
            "EdDSA",
            {"kid": kid, "typ": "JWT"} if kid else {"typ": "JWT"},
        )

    means = (
        "This token is good in every respect. `Claims` holds its `sub` as a number, and its `exp`: the caller"
        " remembers the token until then."
    )
    usual = f"user 7 until {now + 500}"
    cases: list[tuple[str, str | Callable[[], str], str, str]] = [
        ("a good token", token(), usual, means),
        ("a token that ends in 30 s", token(exp=now + 30), f"user 7 until {now + 30}", means),
        ("a token that begins 3 s from now", token(iat=now + 3, nbf=now + 3), usual, EARLY),
        ("a token that begins 12 s from now", token(iat=now + 12, nbf=now + 12), REFUSED, LATER),
        ("a token of another key of ours that names this one", token(key=another), REFUSED, NAMED),
        ("a token of this key that names another one of ours", token(kid="key-0"), REFUSED, NAMED),
        ("an issuer that begins alike", token(iss="issuer-1.example.org"), REFUSED, OURS),
        ("an audience that begins alike", token(aud="audience-10"), REFUSED, OURS),
        ("a token that ended 2 s ago", token(exp=now - 2), REFUSED, END),
        (
            "a token that begins 60 s from now",
            token(nbf=now + 60),
            REFUSED,
            LATER,
        ),
        ("a token of the system's usual issuer", token(iss="civildiy-auth"), REFUSED, OURS),
        ("a token for the system's usual audience", token(aud="civildiy"), REFUSED, OURS),
        ("a token of a key that is not among `keys`", token(kid="key-2"), "UnknownKey", KEY),
        ("a token without kid", token(kid=None), REFUSED, KEY),
    ]
    cases += [(f"a token without {claim}", token(**dict[str, Any]({claim: None})), REFUSED, REQUIRED)
              for claim in ("iss", "aud", "sub", "iat", "nbf", "exp", "jti")]  # fmt: skip
    # Three times, because a second may pass between the token and the answer.
    cases += [
        ("a token that ends in this very second", lambda: token(exp=int(time.time())), REFUSED, END)
    ] * 3
    cases += [
        ("the greatest id", token(sub=str(MAX_USER_ID)), f"user {MAX_USER_ID} until {now + 500}", means)
    ]
    subjects = ("0", "-7", "+7", " 7", "7.0", "7_0", "", "admin", "\u00b2", "\u0667")
    cases += [(f"the subject {subject!r}", token(sub=subject), REFUSED, SUBJECT) for subject in subjects]
    cases += [(f"the subject {what}", token(sub=subject), REFUSED, TOO_GREAT)
              for what, subject in ((str(MAX_USER_ID + 1), str(MAX_USER_ID + 1)), ("of 3,000"
              " digits", "7" * 3000),
                                    ("of 6,000 digits", "7" * 6000))]  # fmt: skip
    head, body, _ = token().split(".")
    cases += [(f"the text {text[:12]!r}", text, REFUSED, NOISE)
              for text in ("", "x", "a.b.c", "e30.e30.", "\u00e9", f"{head}.{body}")]  # fmt: skip
    return cases
