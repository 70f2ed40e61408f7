"""CORS: pages of other origins that may call the API. The gateway answers, before it calls auth.

A browser sends a preflight (OPTIONS with `Origin` and `Access-Control-Request-Method`) before a request
with a token, and the preflight itself never carries one. Behind forwardAuth it would always be refused. So
the middleware is the first of each router: Traefik answers a preflight by itself, without a service, and it
adds `Access-Control-Allow-Origin` to every other answer, also to auth's 401. Every other request goes on to
forwardAuth as before.

Without CORS_ORIGINS, the default, there is no such middleware. Credentials are not allowed: tokens travel in
a header that the page sets itself, and there are no cookies.

Sources: https://fetch.spec.whatwg.org/#http-cors-protocol and
https://doc.traefik.io/traefik/reference/routing-configuration/http/middlewares/headers/
"""

import re
from collections.abc import Mapping, Sequence

ALLOWED_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")
ALLOWED_HEADERS = ("Authorization", "Content-Type", "traceparent")
READABLE_HEADERS = ("Location", "Retry-After", "Allow", "WWW-Authenticate")
PREFLIGHT_SECONDS = 600
"""For this time a browser may reuse the answer to a preflight."""

_ORIGIN = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?")


def origins(listed: str) -> tuple[str, ...]:
    """Return the origins of a list such as 'https://app.example.org, http://localhost:3000'.

    Raises ValueError for anything else, also for `*` and `null`, which would allow every page.
    """
    allowed = tuple(filter(None, (origin.strip() for origin in listed.split(","))))
    for origin in allowed:
        if not _ORIGIN.fullmatch(origin):
            raise ValueError(
                f"{origin[:80]!r} is not an origin. Write scheme, host and port in lower case, without a"
                " path: https://app.example.org, http://localhost:3000"
            )
    return allowed


def with_cors(rules: Mapping[str, str], service: str, allowed: Sequence[str]) -> dict[str, str]:
    """Return the rules of `service`, with a CORS middleware as the first one of each router."""
    if not allowed:
        return dict(rules)
    name = f"{service}-cors"
    lists = {
        "accessControlAllowOriginList": allowed,
        "accessControlAllowMethods": ALLOWED_METHODS,
        "accessControlAllowHeaders": ALLOWED_HEADERS,
        "accessControlExposeHeaders": READABLE_HEADERS,
    }
    made = {
        f"middlewares/{name}/headers/{option}/{place}": value
        for option, values in lists.items()
        for place, value in enumerate(values)
    }
    made[f"middlewares/{name}/headers/accessControlMaxAge"] = str(PREFLIGHT_SECONDS)
    made[f"middlewares/{name}/headers/addVaryHeader"] = "true"  # a cache must not mix up two origins
    for key, value in rules.items():
        router, chained, place = key.partition("/middlewares/")
        if chained and router.startswith("routers/"):
            made[f"{router}/middlewares/0"] = name
            key = f"{router}/middlewares/{int(place) + 1}"
        made[key] = value
    return made
