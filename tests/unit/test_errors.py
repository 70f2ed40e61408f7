"""Domain errors know nothing of HTTP, and the handlers give each kind a status."""

import ast
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from civildiy.auth.admission import Busy
from civildiy.auth.users import Taken
from civildiy.chassis import errors
from civildiy.chassis.errors import Conflict, DomainError, Forbidden, NotFound, Unauthorized, Unavailable
from civildiy.chassis.handlers import STATUS, install_problem_handlers, status_of
from civildiy.chassis.resources import Resources
from lab.home import PLATFORM
from lab.topology import SERVICES

KNOWS_HTTP = {"api", "app", "schemas", "state"}
"""The modules of a service that may import the web framework or the shape of error answers."""
HTTP = ("fastapi", "starlette", "http", "civildiy.chassis.problems", "civildiy.chassis.handlers")


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def http_imports(file: Path) -> list[str]:
    return [name for name in imported(file) if any(name == h or name.startswith(h + ".") for h in HTTP)]


def domain_modules() -> list[Path]:
    services = [PLATFORM / "civildiy" / name for name in SERVICES]
    found = [file for service in services for file in service.rglob("*.py") if file.stem not in KNOWS_HTTP]
    return [*found, PLATFORM / "civildiy/chassis/errors.py"]


@pytest.mark.parametrize("file", domain_modules(), ids=lambda file: str(file.relative_to(PLATFORM)))
def test_a_domain_module_knows_no_http(file: Path) -> None:
    assert http_imports(file) == []


def test_the_rule_finds_an_import(tmp_path: Path) -> None:
    (tmp_path / "store.py").write_text("from fastapi import Request\nimport http.client\nimport httpx\n")
    assert http_imports(tmp_path / "store.py") == ["fastapi", "http.client"]


def test_every_kind_of_error_has_a_status() -> None:
    kinds = {
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, DomainError)
    }
    assert kinds - {DomainError} == set(STATUS)


def test_a_subclass_has_the_status_of_its_parent() -> None:
    assert status_of(Taken("email")) is HTTPStatus.CONFLICT
    assert status_of(Busy("registering")) is HTTPStatus.SERVICE_UNAVAILABLE
    assert status_of(DomainError("no kind")) is HTTPStatus.INTERNAL_SERVER_ERROR


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def answer(error: Exception) -> httpx.Response:
    app = FastAPI()
    install_problem_handlers(app, {}, Resources(app.routes))

    @app.get("/")
    async def fail() -> None:
        raise error

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
        return await client.get("/")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("error", "status", "header"),
    [
        (NotFound("There is no post 1."), 404, {}),
        (Forbidden("Only the author."), 403, {}),
        (Conflict("You have one."), 409, {}),
        (Unavailable("kafka"), 503, {"Retry-After": "1"}),
        (Busy("registering"), 503, {"Retry-After": "1"}),
        (Unauthorized("Log in."), 401, {"WWW-Authenticate": 'Bearer realm="civildiy"'}),
        (
            Unauthorized("Log in.", invalid_token=True),
            401,
            {"WWW-Authenticate": 'Bearer realm="civildiy", error="invalid_token"'},
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
async def test_an_error_is_answered(error: DomainError, status: int, header: dict[str, str]) -> None:
    answered = await answer(error)
    body: dict[str, Any] = answered.json()
    assert (answered.status_code, body["detail"]) == (status, error.detail)
    assert answered.headers["content-type"] == "application/problem+json"
    sent = {
        name: answered.headers[name]
        for name in ("Retry-After", "WWW-Authenticate")
        if name in answered.headers
    }
    assert sent == header


@pytest.mark.anyio
async def test_an_answer_names_the_refused_field() -> None:
    body = (await answer(Taken("email"))).json()
    assert body["errors"] == [{"field": "email", "message": "this email is taken; choose another or log in"}]
