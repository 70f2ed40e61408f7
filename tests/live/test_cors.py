"""Pages of other origins: a preflight is answered for the configured ones, and forwardAuth stays in front."""

from collections.abc import Iterator

import httpx
import pytest
from support import Person, backend, eventually, home, until_healthy

from lab.backends import overrides

pytestmark = pytest.mark.fault
ORIGIN = "https://app.example.org"
UNIT = "profile"
PATH = "/api/profile"


def preflight(http: httpx.Client, origin: str = ORIGIN, method: str = "PUT") -> httpx.Response:
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "authorization"}
    return http.options(PATH, headers={"Origin": origin, **asked})


@pytest.fixture(scope="module", autouse=True)
def configured() -> Iterator[None]:
    before = overrides.read(home, UNIT)
    backend.override(UNIT, before | {"CORS_ORIGINS": f"{ORIGIN}, http://localhost:3000"})
    try:
        until_healthy()
        yield
    finally:
        backend.override(UNIT, before)
        until_healthy()


def test_pages_of_other_origins(anybody: httpx.Client, ada: Person) -> None:
    eventually(lambda: preflight(anybody).status_code == 200, within=20, what="the gateway's new rules")
    for origin in (ORIGIN, "http://localhost:3000"):
        answer = preflight(anybody, origin)
        assert answer.headers["access-control-allow-origin"] == origin
        assert "PUT" in answer.headers["access-control-allow-methods"]
        assert "authorization" in answer.headers["access-control-allow-headers"].lower()
        assert "access-control-allow-credentials" not in answer.headers
    for other in ("https://evil.example.org", "null", f"{ORIGIN}.evil.org", ORIGIN.upper()):
        assert "access-control-allow-origin" not in preflight(anybody, other).headers

    # The answer itself: a page can read a refusal, too, and every answer has a Vary header for caches.
    from_page = {"Origin": ORIGIN}
    refused = anybody.get(PATH, headers=from_page)
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, ORIGIN)
    read = ada.http.get(PATH, headers=from_page)
    assert (read.status_code, read.headers["access-control-allow-origin"]) == (404, ORIGIN)
    assert "origin" in read.headers["vary"].lower()
    assert "access-control-allow-origin" not in ada.http.get(PATH).headers

    # Nothing but a preflight passes without a token.
    assert anybody.options(PATH, headers=from_page).status_code == 401
    assert anybody.options(PATH).status_code == 401
    for method in ("GET", "PUT", "POST", "DELETE", "PATCH"):
        headers = from_page | {"Access-Control-Request-Method": method}
        assert anybody.request(method, PATH, headers=headers).status_code == 401, method
