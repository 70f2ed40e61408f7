"""The ids of a request, for every log line that is written while the request is answered.

A client or the gateway may send `X-Request-Id`; otherwise the service creates an id. Every answer carries it,
so a person who reports a failed request can name the log lines that belong to it. The trace id comes from
`traceparent` and continues in the events that the request causes.

The middleware only binds context variables and writes no line by itself: the read path must stay fast.
"""

import re
import secrets

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, get_contextvars

from civildiy.chassis.observability.tracing import trace_id

_USABLE = re.compile(rb"[A-Za-z0-9._-]{1,64}")
"""An id of another shape is replaced: it would stand in our logs and in the answer's headers."""


def request_id_header() -> dict[str, str]:
    """Return the header with the id of the present request; empty outside a request."""
    request_id = get_contextvars().get("request_id")
    return {"X-Request-Id": request_id} if request_id else {}


class RequestContext:
    """ASGI middleware that binds `request_id` and `trace_id` for the log lines of one request.

    Each request runs in a task of its own, so nothing has to be unbound at its end.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Bind the ids, and add `X-Request-Id` to the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        sent = traceparent = b""
        for name, value in scope["headers"]:
            if name == b"x-request-id":
                sent = value
            elif name == b"traceparent":
                traceparent = value
        request_id = sent if sent and _USABLE.fullmatch(sent) else secrets.token_hex(8).encode()
        bind_contextvars(request_id=request_id.decode())
        if traceparent and (trace := trace_id(traceparent.decode("latin-1"))):
            bind_contextvars(trace_id=trace)

        async def with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id)]
            await send(message)

        await self.app(scope, receive, with_id)
