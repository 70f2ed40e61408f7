"""The claims of a good token, its place in a request, and the answer to the gateway."""

import time
from typing import Any

import jwt
from grading import checked_http
from grading.outcome import require
from grading.people import Person, said
from grading.plugin import check
from grading.system import ENDPOINTS

from lab.deadlines import slow
from lab04_auth.service import GUARDED, login, refused, validate


@check(points=2)
def test_token_says_what_it_must(ada: Person) -> None:
    """A token of a login names its key, its user and its end, and is signed with a private key"""
    given = login(ada).json()
    token = str(given["access_token"])
    did = "took the token of a login apart"
    header: dict[str, Any] = jwt.get_unverified_header(token)
    require(
        header.get("alg") in ("EdDSA", "RS256") and header.get("kid"),
        did,
        expected="alg EdDSA or RS256, and a kid",
        saw=header,
        means="`issue` must sign with `algorithm=ALGORITHM` and name the key in the header `kid`."
        " With a shared secret (HS256) every program that can verify tokens can also make them.",
    )
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    missing = {"iss", "aud", "sub", "iat", "exp", "jti"} - claims.keys()
    require(
        not missing,
        did,
        expected="iss, aud, sub, iat, exp and jti",
        saw=f"missing: {', '.join(sorted(missing))}",
        means="A token without an end is good for ever; one without audience is good everywhere.",
    )
    second = jwt.decode(str(login(ada).json()["access_token"]), options={"verify_signature": False})
    good = claims["sub"] == str(ada.id) and 0 < claims["exp"] - claims["iat"] <= 86400
    require(
        good and second["jti"] != claims["jti"],
        did,
        expected=f"sub '{ada.id}', at most a day to live, another jti for each token",
        saw=f"{claims}; the token of a second login has the jti {second['jti']}",
        means="`issue` must write the user id as text into `sub`, the end into `exp`, and a new"
        " random id into `jti`.",
    )
    lives = claims["exp"] - claims["iat"]
    require(
        lives == given["expires_in"] and abs(claims["iat"] - time.time()) < 60 * slow(),
        did,
        expected=f"iat now, and exp expires_in ({given['expires_in']} s) later, as the login said",
        saw=f"iat {claims['iat']}, exp {lives} s later, Unix time {time.time():.0f}",
        means="`iat` and `exp` must come from one reading of the clock, cut to whole seconds by `int`, and"
        " `exp` must be `iat` plus `issuer.seconds`. A token that outlives what was promised outlives the"
        " key that can check it, too.",
    )


@check(points=2)
def test_token_in_the_wrong_place(ada: Person) -> None:
    """A token in the query, two Authorization headers, another scheme or no token at all is refused"""
    url = ENDPOINTS["gateway"] + GUARDED
    with checked_http.client(timeout=10) as http:
        query = http.get(url, params={"access_token": ada.token, "token": ada.token})
        refused(query, f"GET {GUARDED} with a good token in the query")
        good, bad = ("Authorization", f"Bearer {ada.token}"), ("Authorization", "Bearer x")
        for two in ([good, good], [good, bad], [bad, good]):
            refused(http.get(url, headers=two), f"GET {GUARDED} with two Authorization headers")
        for text in ("Bearer", "Bearer x", "Bearer a.b.c", "Bearer " + "x" * 5000):
            answer = http.get(url, headers={"Authorization": text})
            refused(answer, f"GET {GUARDED} with Authorization: {text[:20]}")
        refused(
            http.get(url, headers={"Authorization": f"Basic {ada.token}"}), f"GET {GUARDED} with scheme Basic"
        )
    after = ada.http.get(GUARDED)
    means = "A good token must still be accepted after bad ones."
    require(
        after.status_code in (200, 404),
        f"GET {GUARDED} as Ada",
        expected="200 or 404",
        saw=said(after),
        means=means,
    )


@check(points=2)
def test_gateway_learns_the_user(ada: Person) -> None:
    """The answer to the gateway carries X-User-ID, equal to sub"""
    answer = validate(ada.token)
    seen = answer.headers.get("x-user-id")
    require(
        answer.status_code == 200 and seen == str(ada.id),
        "GET /api/auth/validate at the auth service, with Ada's token",
        expected=f"200 with X-User-ID: {ada.id}",
        saw=f"{said(answer)}, X-User-ID: {seen}",
        means="The gateway passes this header on; all services act on it.",
    )
