"""What the gateway asks a service of auth, and what it makes of the answer."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any

import pytest
from grading.outcome import require
from grading.plugin import check
from grading.stack import backend

from lab.course.exercise import Exercise
from lab03_gateway.probe import SECRET, live_probe

USER = "77"
NOT_TAKEN = "X-Other"


class Asked:
    """An auth of the check's own: it writes down what it is asked, and accepts every request."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.seen: list[dict[str, str]] = []


@contextmanager
def own_auth() -> Iterator[Asked]:
    """Answers 200 with a user's id, and with headers that the gateway must not take."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.seen.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(200)
            answer = {"X-User-ID": USER, "X-Gateway-Secret": "another", NOT_TAKEN: "1", "Content-Length": "0"}
            for name, value in answer.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer((backend.listen_host(), 0), Handler)
    found = Asked(f"http://{server.server_address[0]!s}:{server.server_address[1]}/check")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


@check(points=2)
@pytest.mark.disturbs
def test_auth_is_asked_for_the_user_only(lab: Exercise, rng: Random) -> None:
    """The gateway gives auth the client's token and no other header, and takes only the user's id"""
    with own_auth() as auth, live_probe(lab, rng, auth.url) as (service, there, http):
        given = {"Authorization": "Bearer t", "Cookie": "c=1", "X-User-ID": "1", "X-Private": "p"}
        answer = http.get(f"/{service.name}/user", headers=given)
        did = (
            f"GET /{service.name}/user, a route that needs a user, with an auth of the check's own that"
            " accepts it"
        )
        require(
            answer.status_code == 200 and auth.seen and there.seen,
            did,
            expected="auth to be asked, then 200 by the service",
            saw=f"{answer.status_code}; auth was asked {len(auth.seen)} times, the service"
            f" {len(there.seen)} times",
            means="`rule_set` must put forwardAuth with `auth_check_url` into the chain of a route that"
            " needs a user.",
        )
        asked = auth.seen[-1]
        extra = sorted({"cookie", "x-private"} & asked.keys()) + ["x-user-id"] * (
            asked.get("x-user-id") == "1"
        )
        require(
            asked.get("authorization") == "Bearer t" and not extra,
            did,
            expected="auth gets Authorization, and no Cookie, X-Private or X-User-ID of the client's",
            saw=f"Authorization {asked.get('authorization')!r}, and"
            f" {', '.join(extra) or 'none of the others'}",
            means="Without `forwardAuth/authRequestHeaders/0` = Authorization, Traefik gives auth every"
            " header of the"
            " request, also those that a client forged.",
        )
        reached = {name.lower(): value for name, value in there.seen[-1][2]}
        require(
            reached.get("x-user-id") == USER and NOT_TAKEN.lower() not in reached,
            did,
            expected=f"X-User-ID {USER} at the service, as auth answered, and no {NOT_TAKEN}",
            saw=f"X-User-ID {reached.get('x-user-id')!r}, {NOT_TAKEN} {reached.get(NOT_TAKEN.lower())!r}",
            means="The user's id was lost. `forwardAuth/authResponseHeaders/0` must be X-User-ID, and the"
            " middleware that cleans must come before auth in the chain: it empties this header."
            if not reached.get("x-user-id")
            else "`forwardAuth/authResponseHeaders` must name X-User-ID and nothing else: what is named there"
            " replaces the client's header.",
        )
        require(
            reached.get("x-gateway-secret") == SECRET,
            did,
            expected="the gateway's own proof at the service",
            saw="another value" if "x-gateway-secret" in reached else "no X-Gateway-Secret",
            means="The proof must be `secret`, set by the middleware that cleans, and never come from"
            " auth's answer.",
        )
