"""Refuse a request body over a limit before it fills the memory."""

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from civildiy.chassis.problems import MEDIA_TYPE, problem_body

MAX_BODY_BYTES = 1024 * 1024
DRAINED_BYTES = 32 * MAX_BODY_BYTES
"""This much of a refused body is read and discarded; then the connection is closed."""


class TooLarge(HTTPException):
    """The body is over the limit. FastAPI's body parsing passes an HTTPException on unchanged."""


class BodyLimit:
    """ASGI middleware that answers 413 to a body of more than `limit` bytes, declared or counted."""

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY_BYTES) -> None:
        self.app = app
        self.limit = limit
        self.detail = f"body: at most {limit} bytes are accepted."

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the bytes that arrive, and refuse as early as possible."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self.limit:
            await self._drain(receive)
            await self._refuse(scope, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.limit:
                # After the last part, receive() would wait until the client hangs up.
                if message.get("more_body", False):
                    await self._drain(receive)
                raise TooLarge(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self.detail)
            return message

        try:
            await self.app(scope, counted, send)
        except TooLarge:  # raised while a middleware read the body, before any route
            await self._refuse(scope, send)

    async def _drain(self, receive: Receive) -> None:
        """Read and discard the rest of the body; a gateway that cannot send it all would report 502."""
        thrown_away = 0
        more = True
        while more and thrown_away < DRAINED_BYTES:
            message = await receive()
            thrown_away += len(message.get("body", b""))
            more = message["type"] == "http.request" and message.get("more_body", False)

    async def _refuse(self, scope: Scope, send: Send) -> None:
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        body = problem_body(status, self.detail, scope["path"])
        # The rest of a very long body stays unread, so the connection cannot be used again.
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        await send({"type": "http.response.start", "status": status.value, "headers": headers})
        await send({"type": "http.response.body", "body": body})
