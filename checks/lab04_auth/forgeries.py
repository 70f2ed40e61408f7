"""Tokens with one fault each."""

import time
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from grading import checked_http
from grading.databases import postgresql
from grading.outcome import require
from grading.people import Person
from grading.plugin import check
from grading.reach import signing_key
from grading.system import ENDPOINTS

from lab.deadlines import slow
from lab04_auth.service import AUDIENCE, GUARDED, ISSUER, refused, validate

FORGERIES = (
    "none", "hmac-with-public-key", "shared-secret", "tampered", "expired", "not-yet-valid", "wrong-issuer",
    "wrong-audience", "unknown-kid", "no-end",
)  # fmt: skip
STRANGERS, LEAST_WAITING = 12, 5
SOON_SECONDS, LOOK_SECONDS = 0.4, 1.0


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
    """A good token of Ada's that nobody has used yet, with a part exchanged."""
    head, body, signature = ada.token.split(".")
    others = jwt.encode(claims, signing_key()[1], algorithm="EdDSA").split(".")
    return {
        "": f"{head}.{others[1]}.{signature}",
        "another's signature": f"{head}.{body}.{others[2]}",
        "no signature": f"{head}.{body}.",
    }


@check(points=3)
@pytest.mark.parametrize("kind", FORGERIES)
def test_forged_token_is_refused(ada: Person, bob: Person, kind: str) -> None:
    """A token with one fault is refused at the gateway with 401 and WWW-Authenticate"""
    for fault, token in _forged(kind, ada, bob).items():
        bearer = {"Authorization": f"Bearer {token}"}
        answer = checked_http.get(ENDPOINTS["gateway"] + GUARDED, headers=bearer, timeout=10)
        which = f" ({fault})" if fault else ""
        refused(answer, f"GET {GUARDED} with a token of the kind '{kind}'{which}")


@check(points=2)
@pytest.mark.disturbs
def test_unknown_keys_cost_nothing(ada: Person) -> None:
    """Tokens with invented key ids do not make auth query its database each time"""
    _, key = signing_key()
    tokens = [
        jwt.encode({"sub": "1"}, key, algorithm="EdDSA", headers={"kid": f"x{n}"}) for n in range(STRANGERS)
    ]
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'signing_keys'::regclass"
    # One thread more, so that the good token never waits for a thread that a stranger occupies.
    with ThreadPoolExecutor(STRANGERS + 1) as threads, postgresql("auth") as holder:
        # Every query for keys waits here and can be counted; auth's own regular one is among them.
        holder.execute("LOCK TABLE signing_keys IN ACCESS EXCLUSIVE MODE")
        answers = [threads.submit(validate, token) for token in tokens]
        # Asked soon: PostgreSQL ends the queries that wait after some seconds, and then nothing is held up.
        wait(answers, SOON_SECONDS * slow())
        began = time.monotonic()
        good = threads.submit(validate, ada.token)
        wait([good], LOOK_SECONDS * slow())
        late = time.monotonic() - began
        wait(answers, SOON_SECONDS * slow())
        found = holder.execute(waiting).fetchone()
        holder.rollback()
    require(
        late < LOOK_SECONDS * slow(),
        f"asked auth about a good token while {STRANGERS} tokens with invented key ids wait for a"
        " locked table",
        expected="an answer at once: its key is known",
        saw=f"no answer within {late:.1f} s",
        means="`user_id` makes tokens wait for each other, for example for one lock. Anybody can"
        " then stop all"
        " protected requests with tokens that cost nothing to make.",
    )
    looking = int(found[0]) if found else 0
    require(
        looking < LEAST_WAITING,
        f"sent {STRANGERS} tokens with invented key ids at once, and counted the queries of the table"
        " signing_keys",
        expected=f"fewer than {LEAST_WAITING} at the same time: auth's regular query, and one for all of"
        " these tokens",
        saw=f"{looking} at the same time",
        means="Each token with an unknown key makes auth query its database, so any client can keep the"
        " database busy with"
        " tokens that cost nothing to make. Leave it to `_verify`, which asks `look_again` at most once a"
        " second.",
    )
