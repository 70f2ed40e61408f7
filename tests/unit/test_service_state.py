"""A service's lifespan state holds what the chassis needs beside what the service itself creates."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict

import httpx
from fastapi import APIRouter, FastAPI, Request
from pydantic import SecretStr
from starlette.types import Receive, Scope, Send

from civildiy.chassis.app import create_service
from civildiy.chassis.identity.caller import PROOF_HEADER, USER_HEADER, CurrentUser
from civildiy.chassis.settings import ServiceSettings

SECRET, URL = "s" * 20, "http://things/api/things"
router = APIRouter(prefix="/api/things")


class Own(TypedDict):
    """What the made-up service creates."""

    shelf: str


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[Own]:
    yield {"shelf": "oak"}


@router.get("")
async def read(user: CurrentUser, request: Request) -> dict[str, object]:
    """Return the user and the service's own state."""
    return {"user": user, "shelf": request.state.shelf}


def answers(*requests: httpx.Request) -> list[httpx.Response]:
    """Start the service, send it the requests with its lifespan state, as uvicorn does, and stop it."""
    settings = ServiceSettings(
        service_host="x", consul_host="x", gateway_secret=SecretStr(SECRET), auth_check_url="http://x"
    )
    app = create_service(
        "things", "/api/things", settings, router=router, dependencies={}, drivers={}, lifespan=lifespan,
        description="",
    )  # fmt: skip

    async def send_all() -> list[httpx.Response]:
        async with app.router.lifespan_context(app) as state:

            async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
                await app({**scope, "state": dict(state or {})}, receive, send)

            async with httpx.AsyncClient(transport=httpx.ASGITransport(with_state)) as client:
                return [await client.send(request) for request in requests]

    return asyncio.run(send_all())


def test_the_gateways_secret_proves_the_user() -> None:
    proof = {PROOF_HEADER: SECRET, USER_HEADER: "7"}
    good, wrong, without = answers(
        httpx.Request("GET", URL, headers=proof),
        httpx.Request("GET", URL, headers=proof | {PROOF_HEADER: "x" * 20}),
        httpx.Request("GET", URL),
    )
    assert good.json() == {"user": 7, "shelf": "oak"}
    assert (wrong.status_code, without.status_code) == (401, 401)


def test_another_method_is_refused_with_those_of_the_path() -> None:
    [answer] = answers(httpx.Request("DELETE", URL))
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"
