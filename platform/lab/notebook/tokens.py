"""Read tokens, forge some, and show the gateway's answers to them."""

import base64
import json
import time
from statistics import median
from typing import Any

import jwt

from lab.notebook import plots
from lab.notebook.diagram import Drawing
from lab.notebook.people import Person
from lab.notebook.picture import Picture, Table
from lab.notebook.stack import address, ask, milliseconds
from lab.probes import local_http

MEANINGS = {
    "alg": "how it is signed", "kid": "which key", "typ": "what this is", "iss": "who issued it",
    "aud": "for which system", "sub": "about whom", "iat": "since when", "nbf": "not before",
    "exp": "until when",
    "jti": "which token",
}  # fmt: skip


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims, which are readable without any key."""
    return jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})


def taken_apart(token: str) -> Picture:
    """Draw header, claims and signature as three boxes, with the meaning of each field."""
    header, claims = parts(token)
    drawing = Drawing(720, 250)
    words = []
    for x, width, name, fields in ((10, 215, "header", header), (240, 290, "claims", claims)):
        lines = [f"{key}: {_short(key, value)}  ({MEANINGS.get(key, '')})" for key, value in fields.items()]
        drawing.box(x, 40, width, 40 + 15 * len(claims), (name, *lines))
        words.append(
            f"{name} with {', '.join(f'{key} {_short(key, value)}' for key, value in fields.items())}"
        )
    signature = token.rsplit(".", 1)[1]
    lines = [
        f"{len(signature)} letters",
        signature[:18] + "…",
        "private key makes it",
        "public key checks it",
    ]
    drawing.box(545, 40, 165, 40 + 15 * len(claims), ("signature", *lines))
    drawing.text(10, 24, "header . claims . signature", 'font-size="14" font-weight="600"')
    drawing.text(10, 215, "The first two parts are encoded (base64). Everybody can read and change them.")
    drawing.text(10, 233, "But then the signature no longer fits, and only the private key makes a new one.")
    return Picture(
        drawing.svg(),
        f"A token taken apart: {'; '.join(words)}; and a signature of {len(signature)} letters.",
        "A token taken apart",
    )


def _short(key: str, value: object) -> str:
    if key in ("iat", "nbf", "exp"):
        return time.strftime("%H:%M:%S", time.gmtime(int(str(value))))
    text = str(value)
    return text if len(text) < 20 else text[:10] + "…"


def ask_with(token: str) -> str:
    """Return the gateway's answer on a page that needs a user (404: accepted, but no profile yet)."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return ask(f"{address('gateway')}/api/profile", headers=headers)


def forged(victim: Person, attacker: Person) -> dict[str, str]:
    """Return tokens that try to act as `victim`, by the trick that each uses."""
    head, claims = parts(victim.token)
    kid = str(head["kid"])
    keys = local_http.get(f"{address('gateway')}/api/auth/.well-known/jwks.json").json()["keys"]
    public = base64.urlsafe_b64decode(next(k["x"] for k in keys if k["kid"] == kid) + "=")
    mine_head, _, mine_signature = attacker.token.split(".")
    now = int(time.time())
    fresh = claims | {"iat": now, "nbf": now, "exp": now + 600}
    return {
        "no signature (alg none)": jwt.encode(fresh, "", algorithm="none", headers={"kid": kid}),
        "HMAC with the public key": _hmac(fresh, public, kid),
        "a guessed secret": jwt.encode(fresh, "secret" * 8, algorithm="HS256", headers={"kid": kid}),
        "my token, the victim's claims": f"{mine_head}.{_base64(claims)}.{mine_signature}",
        "one letter changed": _changed(victim.token),
        "my own key": _own_key(fresh, kid),
        "my own key, a new kid": _own_key(fresh, "mine"),
    }


def _hmac(claims: dict[str, Any], key: bytes, kid: str) -> str:
    import hashlib
    import hmac

    # By hand: PyJWT would warn about such a key, and rightly so.
    start = f"{_base64({'alg': 'HS256', 'typ': 'JWT', 'kid': kid})}.{_base64(claims)}"
    signature = hmac.digest(key, start.encode(), hashlib.sha256)
    return f"{start}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def _own_key(claims: dict[str, Any], kid: str) -> str:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return jwt.encode(claims, Ed25519PrivateKey.generate(), algorithm="EdDSA", headers={"kid": kid})


def _changed(token: str) -> str:
    start, _, signature = token.rpartition(".")
    return f"{start}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


def _base64(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def tried(tokens: dict[str, str]) -> dict[str, str]:
    """Return the gateway's answer to each token, by the trick."""
    return {trick: ask_with(token) for trick, token in tokens.items()}


def let_in(answers: dict[str, str]) -> list[str]:
    """Return the tricks that worked: each answer but 401 means that the token was accepted."""
    return [trick for trick, answer in answers.items() if answer != "401"]


def table(answers: dict[str, str]) -> Table:
    """Return a table of the tricks with the gateway's answers."""
    through = let_in(answers)
    rows = [
        (trick, answer, "ACCEPTED" if trick in through else "refused") for trick, answer in answers.items()
    ]
    return Table("Forged tokens at the gateway", ("the trick", "answer", "result"), rows)


def login_times(person: Person, times: int = 8) -> dict[str, list[float]]:
    """Return the milliseconds of failed logins: with a wrong password, and with an unknown email."""
    found: dict[str, list[float]] = {"wrong password": [], "unknown email": []}
    with local_http.client(base_url=address("auth"), timeout=30) as http:
        for _ in range(times):
            for kind, email in (("wrong password", person.email), ("unknown email", "nobody@example.org")):
                began = time.perf_counter()
                http.post("/api/auth/login", json={"email": email, "password": "not this one"})
                found[kind].append(milliseconds(began))
    return found


def login_times_picture(found: dict[str, list[float]]) -> Picture:
    """Draw both distributions."""
    words = "; ".join(f"{kind}: median {median(ms):.0f} ms" for kind, ms in found.items())
    groups = {kind: {"failed login": ms} for kind, ms in found.items()}
    title = "How long a failed login takes"
    return plots.boxes(groups, alt=f"{title}. {words}.", title=title, y="milliseconds")


def alike(found: dict[str, list[float]]) -> bool:
    """Tell whether the fastest of each are within a factor of two; without the dummy hash it is ten or more.

    The fastest are compared, because a busy machine makes single answers slower and never faster.
    """
    slow, quick = sorted((min(ms) for ms in found.values()), reverse=True)
    return slow < 2 * quick
