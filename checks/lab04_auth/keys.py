"""The published keys, and their rotation."""

import subprocess
import sys
from random import Random

import jwt
import pytest
from grading import checked_http
from grading.outcome import require, wrong
from grading.people import Person, said
from grading.plugin import check
from grading.reach import environment
from grading.system import ENDPOINTS, eventually

from lab.environment import own
from lab.home import PLATFORM
from lab04_auth.service import AUDIENCE, GUARDED, ISSUER, JWKS, login, refused


@check(points=1)
def test_jwks_is_usable(ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any client can verify a token with the published keys, as PyJWT's own client does"""
    monkeypatch.setenv("no_proxy", "*")
    client = jwt.PyJWKClient(ENDPOINTS["gateway"] + JWKS)
    did = f"jwt.PyJWKClient with {JWKS}, then jwt.decode with the key it found"
    try:
        key = client.get_signing_key_from_jwt(ada.token)
        claims = jwt.decode(ada.token, key, algorithms=["EdDSA", "RS256"], audience=AUDIENCE, issuer=ISSUER)
    except jwt.PyJWTError as error:
        wrong(
            did,
            expected="the claims",
            saw=f"{type(error).__name__}: {error}",
            means="No other program can verify tokens. `public` must hold the public key of the"
            " newest key, by its id.",
        )
    require(
        claims["sub"] == str(ada.id), did, expected=ada.id, saw=claims["sub"], means="sub is the user's id."
    )
    published = checked_http.get(ENDPOINTS["auth"] + JWKS).json()["keys"]
    private = [key for key in published if {"d", "p", "q", "k"} & key.keys()]
    require(
        not private,
        f"GET {JWKS}",
        expected="public halves only",
        saw="private parts",
        means="`public` holds private keys. A reader of the JWKS can sign tokens with them.",
    )


@check(points=3)
def test_rotation(ada: Person, rng: Random) -> None:
    """After two new keys, old tokens go on working and new ones name the newest key"""
    old = jwt.get_unverified_header(ada.token)["kid"]
    env = {**own(), **environment("auth"), "PYTHONPATH": str(PLATFORM)}
    command = [sys.executable, "-P", "-m", "civildiy.auth.keys", "rotate"]
    made = []
    for _ in range(2):
        done = subprocess.run(command, env=env, check=True, capture_output=True, text=True, timeout=30)
        made.append(done.stdout.split()[-1])

    def named() -> str:
        return str(jwt.get_unverified_header(str(login(ada).json()["access_token"]))["kid"])

    def renewed() -> str:
        kid = named()
        return kid if kid == made[-1] else ""

    eventually(
        renewed,
        within=12,
        what="new tokens to name the newest key after two rotations",
        means="The newest key must sign, which is the first one that `_rows` returns: set `self._signing` to"
        " it at each call of `load`.",
        saw=lambda: f"a new token names the key {named()}; the newest is {made[-1]}",
    )
    answer = ada.http.get(GUARDED)
    did = "made two new signing keys; then used a token of the old one"
    require(
        answer.status_code in (200, 404),
        did,
        expected="the old token works until it expires",
        saw=said(answer),
        means="`load` must put all keys that `_rows` returns into `public`. Without the old key all"
        " users are logged out.",
    )
    fresh = {"Authorization": f"Bearer {jwt.encode({'sub': '1'}, 'x' * 32, headers={'kid': old})}"}
    refused(checked_http.get(ENDPOINTS["gateway"] + GUARDED, headers=fresh), "used a forged old token")
    kids = {key["kid"] for key in checked_http.get(ENDPOINTS["auth"] + JWKS).json()["keys"]}
    means = (
        "`load` must put all keys that `_rows` returns into `public`; other programs verify old"
        " tokens with the old key."
    )
    require({old, *made} <= kids, f"GET {JWKS}", expected="the old and the new kids", saw=kids, means=means)
