"""One root of errors and one shape on the wire: RFC 9457 problem+json."""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


class FieldError(BaseModel):
    """One field of a request that was refused, and why."""

    field: str
    message: str


class ProblemDetail(BaseModel):
    """The body of every error answer."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FieldError] | None = None


class Problem(Exception):
    """Root of all errors that a service answers to a client.

    `detail` is read by a person: it says what to do next. Subclasses fix the status.
    """

    status = HTTPStatus.INTERNAL_SERVER_ERROR

    def __init__(
        self,
        detail: str,
        *,
        errors: Sequence[FieldError] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors
        self.headers = headers


class BadRequest(Problem):
    """The request cannot be read."""

    status = HTTPStatus.BAD_REQUEST


class Unauthorized(Problem):
    """Nobody is named by the request, or not credibly."""

    status = HTTPStatus.UNAUTHORIZED

    def __init__(self, detail: str, *, challenge: str = 'Bearer realm="civildiy"') -> None:
        super().__init__(detail, headers={"WWW-Authenticate": challenge})


class Forbidden(Problem):
    """The caller is known, and may not do this."""

    status = HTTPStatus.FORBIDDEN


class NotFound(Problem):
    """There is no such thing."""

    status = HTTPStatus.NOT_FOUND


class Conflict(Problem):
    """The request clashes with what is stored."""

    status = HTTPStatus.CONFLICT


class Unprocessable(Problem):
    """A field holds something that is not allowed."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}", errors=[FieldError(field=field, message=message)])


class Unavailable(Problem):
    """Something this service depends on does not answer; `unit` names it."""

    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, unit: str, detail: str = "") -> None:
        super().__init__(
            detail or f"{unit} does not answer right now; try again in a moment.",
            errors=[FieldError(field=unit, message="does not answer")],
            headers={"Retry-After": "1"},
        )


def problem_body(
    status: HTTPStatus, detail: str, instance: str, errors: Sequence[FieldError] | None = None
) -> bytes:
    """The problem+json document for one error, as bytes."""
    problem = ProblemDetail(
        title=status.phrase,
        status=status.value,
        detail=detail,
        instance=instance,
        errors=list(errors) if errors else None,
    )
    return orjson.dumps(problem.model_dump(exclude_none=True))


def _answer(
    request: Request,
    status: HTTPStatus,
    detail: str,
    errors: Sequence[FieldError] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    # The gateway puts these in front of what nobody else takes.
    path = re.sub(r"^/(unrouted|away/[a-z]+)(?=/)", "", request.url.path)
    body = problem_body(status, detail, path, errors)
    return Response(body, status.value, headers, MEDIA_TYPE)


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return _answer(request, error.status, error.detail, error.errors, error.headers)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    headers = dict(error.headers) if error.headers else None
    detail = error.detail
    if status is HTTPStatus.NOT_FOUND and detail == status.phrase:
        detail = f"There is nothing at {request.url.path}."
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
    errors = [FieldError(field=_name(e["loc"]), message=e["msg"]) for e in error.errors()]
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
        log.warning("%s: %s", unit, error)
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


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route for the error statuses it can answer."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": ProblemDetail.model_json_schema()}},
        }
        for status in statuses
    }
