"""What turns each error that a service raises into a problem+json answer."""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from civildiy.chassis.http import not_allowed
from civildiy.chassis.problems import MEDIA_TYPE, MOST_MESSAGE, FieldError, Problem, Unavailable, problem_body
from civildiy.chassis.resources import Resources
from civildiy.chassis.text import shortened

log = logging.getLogger(__name__)

MOST_ERRORS = 20
"""So many are named; a body of a megabyte can hold a hundred thousand."""


def _answer(
    request: Request,
    status: HTTPStatus,
    detail: str,
    errors: Sequence[FieldError] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    # The gateway puts these in front of a path that no service takes.
    path = re.sub(r"^/(unrouted|away/[a-z]+)(?=/)", "", request.scope["path"])
    body = problem_body(status, detail, path, errors)
    return Response(body, status.value, headers, MEDIA_TYPE)


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return _answer(request, error.status, error.detail, error.errors, error.headers)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    headers = dict(error.headers) if error.headers else None
    detail, path = error.detail, request.scope["path"]
    if status is HTTPStatus.NOT_FOUND and detail == status.phrase:
        detail = f"There is nothing at {shortened(path)}."
    if status is HTTPStatus.METHOD_NOT_ALLOWED:  # the framework knows the methods of one route only
        resources: Resources = request.app.state.resources
        headers = resources.allow(path)
        detail = not_allowed(request.method, path, headers["Allow"])
    return _answer(request, status, detail, headers=headers)


def _name(location: Sequence[Any]) -> str:
    """'body', 'preferences', 'a' -> 'preferences.a'; a body as a whole is 'body'.

    A JSON syntax error carries the character's position instead of a name.
    """
    parts = [str(part) for part in location]
    if len(parts) == 2 and parts[0] == "body" and parts[1].isdigit():
        return "body"
    return ".".join(parts[1:]) or parts[0]


async def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [
        FieldError(field=shortened(_name(e["loc"])), message=shortened(e["msg"], MOST_MESSAGE))
        for e in error.errors()[:MOST_ERRORS]
    ]
    detail = "; ".join(f"{e.field}: {e.message}" for e in errors[:3])
    return _answer(request, HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors)


async def _on_unexpected(request: Request, error: Exception) -> Response:
    return _answer(
        request,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "The service met an error it does not know; its log has the details.",
    )


def _on_driver_error(unit: str) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(request: Request, error: Exception) -> Response:
        log.warning("%s: %s", unit, shortened(error, 300))
        return await _on_problem(request, Unavailable(unit))

    return answer


def install_problem_handlers(app: FastAPI, drivers: Mapping[type[Exception], str]) -> None:
    """Make every error of `app` a problem+json answer.

    `drivers` maps the root error of a database driver to the unit that it speaks to: such an
    error is answered 503 and names the unit.
    """
    for root, unit in drivers.items():
        app.add_exception_handler(root, _on_driver_error(unit))
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(Exception, _on_unexpected)
