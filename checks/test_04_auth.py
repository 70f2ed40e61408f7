"""Lab 04: passwords, tokens, keys, and the answer to the gateway."""

import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, wait
from random import Random
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from grading import plain
from grading.databases import postgresql
from grading.outcome import require, wrong
from grading.people import Person, said
from grading.plugin import check
from grading.reach import environment, rows, signing_key
from grading.system import ENDPOINTS, eventually

from lab.home import PLATFORM
from lab.readiness import slow

LEAST_KIB, LEAST_KIB_TIMES = 7168, 5 * 7168
"""The cheapest of OWASP's choices for Argon2id is 7 MiB five times."""

GUARDED = "/api/profile"
JWKS = "/api/auth/.well-known/jwks.json"
ISSUER, AUDIENCE = "civildiy-auth", "civildiy"


def login(person: Person, password: str | None = None) -> httpx.Response:
    body = {"email": person.email, "password": password or person.password}
    # At the service itself: the gateway limits how often one may try.
    return plain.post(f"{ENDPOINTS['auth']}/api/auth/login", json=body, timeout=10)


@check(points=2)
def test_password_hashes(ada: Person, bob: Person) -> None:
    """Passwords are kept as Argon2id that costs enough, each with a salt of its own"""
    for person in (ada, bob):
        answer = person.http.post(
            "/api/auth/register",
            json={
                "email": f"x{person.email}",
                "username": f"x{person.name}",
                "password": "the same for both",
            },
        )
        require(
            answer.status_code in (201, 409),
            "register",
            expected="201",
            saw=said(answer),
            means="No account.",
        )
    found = rows(
        "auth", "SELECT password_hash FROM users WHERE email = ANY(%s)", [f"x{ada.email}", f"x{bob.email}"]
    )
    hashes = [str(row[0]) for row in found]
    did = "registered two people with the same password and read the table users"
    require(
        all(h.startswith("$argon2id$") for h in hashes),
        did,
        expected="hashes that begin with $argon2id$",
        saw=[h[:20] for h in hashes],
        means="A fast or reversible hash gives all passwords away once the table is stolen.",
    )
    for parameters in (h.split("$")[3] for h in hashes):
        cost = {name: int(value) for name, value in (part.split("=") for part in parameters.split(","))}
        require(
            cost["m"] >= LEAST_KIB and cost["m"] * cost["t"] >= LEAST_KIB_TIMES,
            did,
            expected="as much work as OWASP names as the least, such as m=19456,t=2,p=1",
            saw=parameters,
            means="A cheap hash is guessed by the million each second once the table is stolen.",
        )
    salts = [h.split("$")[4] for h in hashes]
    require(
        len(set(salts)) == 2,
        did,
        expected="two different salts",
        saw=f"salts {salts}",
        means="With one salt for all, equal passwords show, and one table of guesses fits everybody.",
    )


@check(points=2)
def test_token_says_what_it_must(ada: Person) -> None:
    """A token is signed with a private key, names it, and says for whom and until when"""
    given = login(ada).json()
    token = str(given["access_token"])
    did = "took the token of a login apart"
    header: dict[str, Any] = jwt.get_unverified_header(token)
    require(
        header.get("alg") in ("EdDSA", "RS256") and header.get("kid"),
        did,
        expected="alg EdDSA or RS256, and a kid",
        saw=header,
        means="With a shared secret (HS256) everybody who can check tokens can also make them.",
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
        saw=claims,
        means="sub says who, exp until when, jti tells two tokens apart.",
    )
    lives = claims["exp"] - claims["iat"]
    require(
        lives == given["expires_in"] and abs(claims["iat"] - time.time()) < 60 * slow(),
        did,
        expected=f"iat now, and exp expires_in ({given['expires_in']} s) later, as the login said",
        saw=f"iat {claims['iat']}, exp {lives} s later, Unix time {time.time():.0f}",
        means="A token that outlives what was promised outlives the key that can check it, too.",
    )


@check(points=1)
def test_jwks_is_usable(ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody can check a token with the published keys (PyJWT's own client does)"""
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
            means="Others cannot check tokens.",
        )
    require(
        claims["sub"] == str(ada.id), did, expected=ada.id, saw=claims["sub"], means="sub is the user's id."
    )
    published = plain.get(ENDPOINTS["auth"] + JWKS).json()["keys"]
    private = [key for key in published if {"d", "p", "q", "k"} & key.keys()]
    require(
        not private, f"GET {JWKS}", expected="public halves only", saw="private parts", means="All is lost."
    )


def _forged(kind: str, ada: Person, bob: Person) -> dict[str, str]:
    """Tokens that must be refused, by their fault; everything but the named fault is right."""
    kid, key = signing_key()
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": ISSUER, "aud": AUDIENCE, "sub": str(bob.id), "jti": "1",
        "iat": now, "nbf": now, "exp": now + 600,
    }  # fmt: skip

    def token(key: Any = key, algorithm: str | None = "EdDSA", kid: str | None = kid, **other: object) -> str:
        # None stands for a claim that is not there.
        said = {name: value for name, value in (claims | other).items() if value is not None}
        return jwt.encode(said, key, algorithm=algorithm, headers={"kid": kid} if kid else {})

    match kind:
        case "none":
            return {"": token(None, "none")}
        case "hmac-with-public-key":
            return {"": token(signing_key()[1].public_key().public_bytes_raw(), "HS256")}
        case "shared-secret":
            return {"": token(b"secret" * 8, "HS256")}
        case "tampered":
            return _tampered(ada, claims)
        case "expired":
            return {"": token(iat=now - 900, nbf=now - 900, exp=now - 300)}
        case "not-yet-valid":
            return {"": token(nbf=now + 600, exp=now + 1200)}
        case "wrong-issuer":
            return {"": token(iss="somebody"), "no issuer": token(iss=None)}
        case "wrong-audience":
            return {"": token(aud="another-system"), "no audience": token(aud=None)}
        case "unknown-kid":
            return {"": token(kid="nobody"), "no kid": token(kid=None),
                    "a stranger's key under our kid": token(Ed25519PrivateKey.generate())}  # fmt: skip
        case _:
            return {
                "": token(exp=None),
                "no subject": token(sub=None),
                "a name as subject": token(sub="admin"),
            }


def _tampered(ada: Person, claims: dict[str, Any]) -> dict[str, str]:
    """A good token of Ada's, used before, and then changed: who remembers it must remember all of it."""
    ada.http.get(GUARDED)
    hers = jwt.decode(ada.token, options={"verify_signature": False})
    head, body, signature = ada.token.split(".")
    others = jwt.encode(claims | {"jti": hers["jti"]}, signing_key()[1], algorithm="EdDSA").split(".")
    return {
        "": f"{head}.{others[1]}.{signature}",
        "another's signature": f"{head}.{body}.{others[2]}",
        "no signature": f"{head}.{body}.",
    }


FORGERIES = (
    "none", "hmac-with-public-key", "shared-secret", "tampered", "expired", "not-yet-valid", "wrong-issuer",
    "wrong-audience", "unknown-kid", "no-end",
)  # fmt: skip


@check(points=3)
@pytest.mark.parametrize("kind", FORGERIES)
def test_forged_token_is_refused(ada: Person, bob: Person, kind: str) -> None:
    """A token with one fault is refused at the gateway with 401 and WWW-Authenticate"""
    for fault, token in _forged(kind, ada, bob).items():
        bearer = {"Authorization": f"Bearer {token}"}
        answer = plain.get(ENDPOINTS["gateway"] + GUARDED, headers=bearer, timeout=10)
        which = f" ({fault})" if fault else ""
        _refused(answer, f"GET {GUARDED} with a token of the kind '{kind}'{which}")
    if kind == "expired":
        _refused_after_its_time(ada)
    if kind == "unknown-kid":
        _unknown_kids_cost_nothing()


STRANGERS, LEAST_WAITING = 12, 5
LOOK_SECONDS = 1.0


def _unknown_kids_cost_nothing() -> None:
    """Whoever invents key ids must not make auth ask its database each time."""
    _, key = signing_key()
    tokens = [
        jwt.encode({"sub": "1"}, key, algorithm="EdDSA", headers={"kid": f"x{n}"}) for n in range(STRANGERS)
    ]
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'signing_keys'::regclass"
    with ThreadPoolExecutor(STRANGERS) as threads, postgresql("auth") as holder:
        # Whoever looks for keys waits here and can be counted; auth's own regular look is among them.
        holder.execute("LOCK TABLE signing_keys IN ACCESS EXCLUSIVE MODE")
        answers = [threads.submit(_validate, token) for token in tokens]
        wait(answers, LOOK_SECONDS * slow())
        found = holder.execute(waiting).fetchone()
        holder.rollback()
    looking = int(found[0]) if found else 0
    require(
        looking < LEAST_WAITING,
        f"sent {STRANGERS} tokens with invented key ids at once, and counted who asks the table signing_keys",
        expected="one look at most; load() notes in _looked when that was",
        saw=f"{looking} looks at the same time",
        means="Anybody could keep auth's database busy with tokens that cost nothing to make.",
    )


def _validate(token: str) -> httpx.Response:
    """Auth's own answer about a token."""
    url = f"{ENDPOINTS['auth']}/api/auth/validate"
    return plain.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=10)


def _refused_after_its_time(ada: Person) -> None:
    """Whoever remembers good tokens, in order not to check them again, forgets them in time."""
    claims = jwt.decode(ada.token, options={"verify_signature": False})
    end = int(time.time()) + 3
    key_id, key = signing_key()
    token = jwt.encode(claims | {"exp": end}, key, algorithm="EdDSA", headers={"kid": key_id})
    bearer = {"Authorization": f"Bearer {token}"}
    plain.get(ENDPOINTS["gateway"] + GUARDED, headers=bearer, timeout=10)
    time.sleep(max(0.0, end + 0.5 - time.time()))  # what is measured is that time passes
    answer = plain.get(ENDPOINTS["gateway"] + GUARDED, headers=bearer, timeout=10)
    _refused(answer, f"GET {GUARDED} with a token that was used before, and is over now")


def _refused(answer: httpx.Response, did: str) -> None:
    require(
        answer.status_code == 401 and "bearer" in answer.headers.get("www-authenticate", "").lower(),
        did,
        expected="401 with WWW-Authenticate: Bearer …",
        saw=f"{said(answer)}, WWW-Authenticate: {answer.headers.get('www-authenticate')}",
        means="Whoever gets through here acts as anybody they like.",
    )


@check(points=2)
def test_token_in_the_wrong_place(ada: Person) -> None:
    """A token in the query, two Authorization headers, another scheme or no token at all is refused"""
    url = ENDPOINTS["gateway"] + GUARDED
    with plain.client(timeout=10) as http:
        query = http.get(url, params={"access_token": ada.token, "token": ada.token})
        _refused(query, f"GET {GUARDED} with a good token in the query")
        good, bad = ("Authorization", f"Bearer {ada.token}"), ("Authorization", "Bearer x")
        for two in ([good, good], [good, bad], [bad, good]):
            _refused(http.get(url, headers=two), f"GET {GUARDED} with two Authorization headers")
        for text in ("Bearer", "Bearer x", "Bearer a.b.c", "Bearer " + "x" * 5000):
            answer = http.get(url, headers={"Authorization": text})
            _refused(answer, f"GET {GUARDED} with Authorization: {text[:20]}")
        _refused(
            http.get(url, headers={"Authorization": f"Basic {ada.token}"}), f"GET {GUARDED} with scheme Basic"
        )
    after = ada.http.get(GUARDED)
    means = "A good token must go on working."
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
    answer = _validate(ada.token)
    seen = answer.headers.get("x-user-id")
    require(
        answer.status_code == 200 and seen == str(ada.id),
        "GET /api/auth/validate at the auth service, with Ada's token",
        expected=f"200 with X-User-ID: {ada.id}",
        saw=f"{said(answer)}, X-User-ID: {seen}",
        means="The gateway passes this header on; all services act on it.",
    )


@check(points=2)
def test_unknown_user_and_wrong_password_look_the_same(ada: Person) -> None:
    """Unknown user and wrong password: the same answer after about the same time"""
    times: dict[str, list[float]] = {"wrong password": [], "unknown user": []}
    answers: dict[str, httpx.Response] = {}
    url = f"{ENDPOINTS['auth']}/api/auth/login"
    with plain.client(timeout=10) as http:
        for _ in range(9):  # interleaved: both meet the same noise
            for kind, email in (("wrong password", ada.email), ("unknown user", f"nobody{ada.email}")):
                began = time.perf_counter()
                answers[kind] = http.post(url, json={"email": email, "password": "wrong-password"})
                times[kind].append(time.perf_counter() - began)
    bodies = {answer.text for answer in answers.values()}
    statuses = {answer.status_code for answer in answers.values()}
    did = "logged in nine times with a wrong password and nine times as an unknown user"
    require(
        statuses == {401} and len(bodies) == 1,
        did,
        expected="401 and the same text for both",
        saw=[said(answer) for answer in answers.values()],
        means="Two different answers tell a stranger who has an account.",
    )
    known, unknown = (statistics.median(times[kind]) for kind in times)
    require(
        0.5 < unknown / known < 2,
        did,
        expected="about the same time for both (ratio 0.5 to 2)",
        saw=f"{known * 1000:.1f} ms and {unknown * 1000:.1f} ms, ratio {unknown / known:.2f}",
        means="An early answer for unknown users tells a stranger who has an account.",
    )


@check(points=3)
def test_rotation(ada: Person, rng: Random) -> None:
    """After two new keys, old tokens go on working and new ones name the newest key"""
    old = jwt.get_unverified_header(ada.token)["kid"]
    env = {**os.environ, **environment("auth"), "PYTHONPATH": str(PLATFORM)}
    command = [sys.executable, "-P", "-m", "civildiy.auth.keys", "rotate"]
    made = []
    for _ in range(2):
        done = subprocess.run(command, env=env, check=True, capture_output=True, text=True, timeout=30)
        made.append(done.stdout.split()[-1])

    def renewed() -> str:
        kid = str(jwt.get_unverified_header(str(login(ada).json()["access_token"]))["kid"])
        return kid if kid == made[-1] else ""

    eventually(renewed, within=12, what="new tokens to name the newest key after two rotations")
    answer = ada.http.get(GUARDED)
    did = "made two new signing keys; then used a token of the old one"
    require(
        answer.status_code in (200, 404),
        did,
        expected="the old token works until it expires",
        saw=said(answer),
        means="Forgetting the old key logs everybody out at once.",
    )
    fresh = {"Authorization": f"Bearer {jwt.encode({'sub': '1'}, 'x' * 32, headers={'kid': old})}"}
    _refused(plain.get(ENDPOINTS["gateway"] + GUARDED, headers=fresh), "used a forged old token")
    kids = {key["kid"] for key in plain.get(ENDPOINTS["auth"] + JWKS).json()["keys"]}
    means = "Others check old tokens with the old key."
    require({old, *made} <= kids, f"GET {JWKS}", expected="the old and the new kids", saw=kids, means=means)
