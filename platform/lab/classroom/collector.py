"""The collector: a small server to which learners send their progress, and a page that shows the class."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse

from lab.classroom import overview
from lab.classroom.board import Board
from lab.classroom.limits import Allowance, TooMuch, body_of
from lab.classroom.members import Members
from lab.classroom.snapshot import MOST_BYTES, cleaned, name_of

SAVE_SECONDS = 2.0
REQUESTS = (20.0, 100.0)
"""Joins and snapshots that an address may send: 100 at once, then 20 a second."""
UPDATES = (1.0, 5.0)
"""Snapshots that one person may send: 5 at once, then one a second."""
COOKIE = "civildiy-class"
HEADERS = {
    # No text from a learner can load or run anything, even if it were not escaped.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
}  # fmt: skip


def page_app(board: Callable[[], Board], key_fits: Callable[[str], bool], joining: str = "") -> FastAPI:
    """Return an app with the page alone. `board` returns what to show; `joining` tells how to join."""
    app = FastAPI(openapi_url=None)

    @app.middleware("http")
    async def safe(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        answer = await call(request)
        answer.headers.update(HEADERS)
        return answer

    def must_be_instructor(request: Request) -> None:
        if not key_fits(request.cookies.get(COOKIE, "")):
            raise HTTPException(
                403, "This page needs its key. Open the address that the command has printed."
            )

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> Response:
        return PlainTextResponse(f"{error.detail}\n", error.status_code, error.headers)

    @app.get("/")
    async def page(request: Request, key: str = "") -> Response:
        if key:
            # The key does not stay in the address, which others would read on the projector.
            answer = RedirectResponse("/", 303)
            answer.set_cookie(COOKIE, key, httponly=True, samesite="strict")
            return answer
        must_be_instructor(request)
        return HTMLResponse(overview.page(board(), time.time(), joining))

    @app.get("/now")
    async def now(request: Request) -> Response:
        must_be_instructor(request)
        return HTMLResponse(overview.content(board(), time.time(), joining))

    @app.get("/{name}")
    async def asset(name: str) -> Response:
        if name not in overview.ASSETS:
            raise HTTPException(404, "There is no such page.")
        return Response((overview.FOLDER / name).read_bytes(), media_type=overview.ASSETS[name])

    return app


class Collector:
    """Receives joins, snapshots and leaves, and saves them to a file every two seconds."""

    def __init__(self, members: Members, file: Path | None = None, joining: str = "") -> None:
        self.members, self._file = members, file
        self._requests, self._updates = Allowance(*REQUESTS), Allowance(*UPDATES)
        self.app = page_app(lambda: members.board, members.is_key, joining)
        self.app.router.lifespan_context = self._lifespan
        self.app.add_api_route("/members", self.join, methods=["POST"])
        self.app.add_api_route("/members/{person}", self.put, methods=["PUT"])
        self.app.add_api_route("/members/{person}", self.leave, methods=["DELETE"])

    async def join(self, request: Request) -> Response:
        """Add a person who knows the join code; the answer has an id and a token for them."""
        address = self._address(request)
        sent = await self._json(request, 1000)
        right = self.members.is_code(str(sent.get("code", "")), address, time.time())
        if right is None:
            raise HTTPException(429, "Too many wrong join codes. Wait a minute.", {"Retry-After": "60"})
        if not right:
            raise HTTPException(403, "This is not the join code of the class. Ask your instructor for it.")
        try:
            name = name_of(str(sent.get("name", "")))
        except ValueError:
            raise HTTPException(422, "Give a name that is not empty.") from None
        made = self.members.join(name, time.time())
        if made is None:
            raise HTTPException(503, f"The class is full: at most {self.members.board.most} can join.")
        person, token = made
        return JSONResponse(
            {"id": person, "token": token, "name": self.members.board.people[person].name}, 201
        )

    async def put(self, person: str, request: Request) -> Response:
        """Store a snapshot in place of the one before."""
        self._address(request)
        self._must_know(person, request)
        if not self._updates.take(person, time.time()):
            raise HTTPException(429, "One snapshot a second is enough.", {"Retry-After": "1"})
        try:
            snapshot = cleaned(await self._json(request, MOST_BYTES))
        except ValueError as error:
            raise HTTPException(422, f"This is no snapshot: {error}.") from None
        if person in self.members.board.people:  # the person may have left while the body arrived
            self.members.board.put(person, snapshot, time.time())
            self.members.changed = True
        return Response(status_code=204)

    async def leave(self, person: str, request: Request) -> Response:
        """Remove a person with everything that they have sent."""
        self._address(request)
        self._must_know(person, request)
        self.members.leave(person)
        return Response(status_code=204)

    def _must_know(self, person: str, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not self.members.knows(person, token):
            raise HTTPException(
                401, "Nobody with this id and token has joined.", {"WWW-Authenticate": "Bearer"}
            )

    def _address(self, request: Request) -> str:
        """Return the client's address, and refuse one that sends too much."""
        address = request.client.host if request.client else ""
        if not self._requests.take(address, time.time()):
            raise HTTPException(429, "Too many requests from this address.", {"Retry-After": "5"})
        return address

    async def _json(self, request: Request, most: int) -> dict[str, Any]:
        try:
            found = json.loads(await body_of(request, most))
        except TooMuch as error:
            raise HTTPException(413, str(error), {"Connection": "close"}) from None
        except (ValueError, RecursionError):
            raise HTTPException(400, "The body is not JSON.") from None
        if not isinstance(found, dict):
            raise HTTPException(422, "The body is not a JSON object.")
        return found

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        saving = asyncio.create_task(self._save_for_ever())
        try:
            yield
        finally:
            saving.cancel()
            with suppress(asyncio.CancelledError):
                await saving
            self.save()

    async def _save_for_ever(self) -> None:
        while True:
            await asyncio.sleep(SAVE_SECONDS)
            self.save()

    def save(self) -> None:
        """Write what has changed. A full disk costs the copy on disk, not the class in memory."""
        if self._file and self.members.changed:
            with suppress(OSError):
                self.members.save(self._file)
