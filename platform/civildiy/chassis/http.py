"""The rules of HTTP that hold for every route of every service; docs/http.md describes them for clients.

- HEAD is GET without the body, and OPTIONS names the methods of a path. A method that the path does not have
  gets 405 and an unknown method gets 501, both with all methods of that path in `Allow`.
- A body must be JSON (415). A target or a header section that is far too long is refused (414, 431).
- A request with If-Match changes nothing (412), because no answer has an entity tag.
- A query names each parameter once, and a JSON object names each member once (422).

Source: RFC 9110, https://www.rfc-editor.org/rfc/rfc9110
"""

import re
from http import HTTPStatus
from urllib.parse import unquote, unquote_plus

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from civildiy.chassis.discovery.gateway_rules import UNAVAILABLE
from civildiy.chassis.errors import FieldError
from civildiy.chassis.media import Malformed, Unsupported, require_i_json, require_json
from civildiy.chassis.problems import MEDIA_TYPE, problem_body
from civildiy.chassis.resources import METHODS, Resources
from civildiy.chassis.text import shortened

MAX_TARGET_BYTES = 8 * 1024
"""RFC 9110 asks for at least 8,000 bytes of path and query."""
MAX_HEADER_BYTES = 32 * 1024
UNROUTED = "/unrouted"
"""The gateway adds this prefix to a path that no rule matches."""

_GATEWAYS_OWN = (UNROUTED, UNAVAILABLE + "/")
_WITH_BODY = ("POST", "PUT", "PATCH")


class HttpRules:
    """ASGI middleware that applies the rules above before the routes of `resources`."""

    def __init__(self, app: ASGIApp, resources: Resources) -> None:
        self.app = app
        self._resources = resources

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the requests that the rules decide, and pass on all others."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        method: str = scope["method"]
        answer = _too_long(scope) or _twice(scope) or self._refused_precondition(scope)
        if answer is None and method not in ("GET", "HEAD"):
            if scope["path"].startswith(_GATEWAYS_OWN):
                scope = {**scope, "method": "GET"}  # the answer is the same for every method
            else:
                answer = self._by_method(scope)
        if answer is None and method in _WITH_BODY:
            answer, receive = await self._body(scope, receive)
        if answer is not None:
            await answer(scope, receive, send)
        elif method == "HEAD":
            await self._head(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _refused_precondition(self, scope: Scope) -> Response | None:
        """Return 412, but leave a path at which there is nothing to the router's 404."""
        answer = _precondition(scope)
        return answer if answer and self._resources.methods(scope["path"]) is not None else None

    def _by_method(self, scope: Scope) -> Response | None:
        """Return the answer to OPTIONS, 405 or 501; None when the router decides."""
        path, method = scope["path"], scope["method"]
        if path == "*" and method == "OPTIONS":  # `OPTIONS *` asks about the whole server
            return Response(status_code=HTTPStatus.NO_CONTENT)
        methods = self._resources.methods(path)
        if methods is None or (method in methods and method != "OPTIONS"):
            return None
        allow = self._resources.allow(path)
        if method == "OPTIONS":
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=allow)
        known = method in METHODS
        status = HTTPStatus.METHOD_NOT_ALLOWED if known else HTTPStatus.NOT_IMPLEMENTED
        return refusal(scope, status, not_allowed(method, path, allow["Allow"]), headers=allow)

    async def _body(self, scope: Scope, receive: Receive) -> tuple[Response | None, Receive]:
        """Return an answer for a body that no service accepts, else a `receive` that gives the body again."""
        if self._resources.methods(scope["path"]) is None:
            return None, receive
        try:
            require_json(scope["headers"])
        except Unsupported as error:
            await _read(receive)  # otherwise the gateway, which still sends, reports 502
            status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
            return refusal(scope, status, str(error), headers=error.headers), receive
        messages, body = await _read(receive)
        try:
            require_i_json(body)
        except Malformed as error:
            return unprocessable(scope, "body", str(error)), receive

        async def again() -> Message:
            return messages.pop(0) if messages else await receive()

        return None, again

    async def _head(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as GET does, with the same status and headers and without the body."""

        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        asked = {**scope, "method": "GET"}
        try:
            await self.app(asked, receive, without_body)
        finally:
            scope.update({name: asked[name] for name in ("route", "endpoint") if name in asked})


def asked_path(scope: Scope) -> str:
    """Return the path that the client asked for, which differs from the path that the gateway sent.

    The gateway adds a prefix to a path that no service serves. Before it passes on a protected request, it
    sends one of its own to auth, and a refusal of this one is the client's answer. Only that request has the
    header X-Forwarded-Uri: the gateway removes it from the requests of clients.
    """
    for name, value in scope["headers"]:
        if name == b"x-forwarded-uri":
            return unquote(value.decode("latin-1").partition("?")[0])
    return re.sub(r"^/(unrouted|unavailable/[a-z]+)(?=/)", "", scope["path"])


def not_allowed(method: str, path: str, allow: str) -> str:
    """Return the sentence of a 405 or 501."""
    return f"{shortened(path)} does not answer {shortened(method, 20)}; it answers {allow}."


def refusal(
    scope: Scope,
    status: HTTPStatus,
    detail: str,
    errors: list[FieldError] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Return a problem+json answer, without any route."""
    return Response(problem_body(status, detail, asked_path(scope), errors), status, headers, MEDIA_TYPE)


def unprocessable(scope: Scope, field: str, message: str) -> Response:
    """Return 422 for one field."""
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return refusal(scope, status, f"{field}: {message}", [FieldError(field=field, message=message)])


def _too_long(scope: Scope) -> Response | None:
    """Return 414 or 431 for a request that is longer than any that a service accepts."""
    if len(scope["raw_path"]) + len(scope["query_string"]) > MAX_TARGET_BYTES:
        detail = f"Path and query may have {MAX_TARGET_BYTES} bytes together. Send long values in a body."
        return refusal(scope, HTTPStatus.REQUEST_URI_TOO_LONG, detail)
    length = 0
    for name, value in scope["headers"]:  # a loop: every request passes here, and sum() takes twice as long
        length += len(name) + len(value)
    if length > MAX_HEADER_BYTES:
        detail = f"All headers together may have {MAX_HEADER_BYTES} bytes. Send fewer or shorter ones."
        return refusal(scope, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, detail)
    return None


def _precondition(scope: Scope) -> Response | None:
    """Return 412 for a precondition that cannot hold: no answer carries an entity tag.

    A client sends If-Match so that it does not overwrite the change of another one. A server that ignored the
    header would do exactly that (RFC 9110, section 13.2.1).
    """
    headers = dict(scope["headers"])
    if b"if-match" not in headers and b"if-none-match" not in headers:
        return None
    tags = headers.get(b"if-match", b"*")
    creates = headers.get(b"if-none-match") == b"*" and scope["method"] in ("PUT", "PATCH", "DELETE")
    if tags.strip() == b"*" and not creates:
        return None
    name = "If-None-Match: *" if creates else "If-Match"
    detail = (
        f"This API gives no entity tags, so `{name}` cannot be fulfilled, and nothing was changed."
        " Send the request without this header."
    )
    return refusal(scope, HTTPStatus.PRECONDITION_FAILED, detail)


def _twice(scope: Scope) -> Response | None:
    """Return 422 for a query that names one parameter twice: it does not tell which of the two counts."""
    query: bytes = scope["query_string"]
    if b"&" not in query:
        return None
    names: set[str] = set()
    for part in query.split(b"&"):
        name = unquote_plus(part.partition(b"=")[0].decode("latin-1"))
        if part and name in names:
            return unprocessable(scope, shortened(name), "stands twice in the query; send it once")
        names.add(name)
    return None


async def _read(receive: Receive) -> tuple[list[Message], bytes]:
    """Return the messages of a whole body, and the body. civildiy.chassis.limits bounds its length."""
    messages = []
    more = True
    while more:
        messages.append(await receive())
        more = messages[-1]["type"] == "http.request" and messages[-1].get("more_body", False)
    return messages, b"".join(message.get("body", b"") for message in messages)
