"""Ask the public pages through the gateway, as any client does: each must answer with JSON."""

import json

from lab.backends.protocol import Backend
from lab.deadlines import slow
from lab.finding import SECONDS, Finding, Findings
from lab.probes import local_http
from lab.text import shortened

WHAT = "answers"
PAGES = {
    "/api/auth/.well-known/jwks.json": "./lab logs auth",
    "/api/posts?limit=1": "./lab logs posts",
    "/api/activity-stream?limit=1": "./lab rebuild builds the feed again; find the cause: ./lab logs feed",
}
"""Each public page that reads a database, and what to do when it fails."""


def look(backend: Backend) -> Findings:
    """Yield the pages that do not answer with status 200 and JSON. Raises httpx.HTTPError."""
    gateway = backend.endpoints()["gateway"]
    found = []
    with local_http.client(timeout=SECONDS * slow()) as client:
        for page, remedy in PAGES.items():
            answer = client.get(gateway + page)
            if why := judge(answer.status_code, answer.content):
                found.append(Finding(WHAT, f"GET {page} {why}", remedy))
    yield from found or [Finding(WHAT, f"the gateway serves all {len(PAGES)} public pages")]


def judge(status: int, body: bytes) -> str:
    """Return what is wrong with an answer; '' for a good one."""
    try:
        said = json.loads(body)
    except ValueError:
        return f"answers {status} without JSON: {shortened(body.decode(errors='replace'))}"
    if status == 200:
        return ""
    detail = said.get("detail", "") if isinstance(said, dict) else ""
    return f"answers {status}: {shortened(detail, 160)}".rstrip(".")
