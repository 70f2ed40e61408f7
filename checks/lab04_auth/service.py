"""Auth as the checks ask it, itself and through a path that it guards."""

import httpx
from grading import checked_http
from grading.outcome import require
from grading.people import Person, said
from grading.system import ENDPOINTS

GUARDED = "/api/profile"
JWKS = "/api/auth/.well-known/jwks.json"
ISSUER, AUDIENCE = "civildiy-auth", "civildiy"


def login(person: Person, password: str | None = None) -> httpx.Response:
    body = {"email": person.email, "password": password or person.password}
    # At the service itself: the gateway limits how often one may try.
    return checked_http.post(f"{ENDPOINTS['auth']}/api/auth/login", json=body, timeout=10)


def validate(token: str) -> httpx.Response:
    """Auth's own answer about a token."""
    url = f"{ENDPOINTS['auth']}/api/auth/validate"
    return checked_http.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=10)


def refused(answer: httpx.Response, did: str) -> None:
    require(
        answer.status_code == 401 and "bearer" in answer.headers.get("www-authenticate", "").lower(),
        did,
        expected="401 with WWW-Authenticate: Bearer …",
        saw=f"{said(answer)}, WWW-Authenticate: {answer.headers.get('www-authenticate')}",
        means="This request must be refused: with such a token a client acts as any user. The kind"
        " of the token"
        " names the test that `verify` lacks.",
    )
