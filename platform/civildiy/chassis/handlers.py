"""Exception handlers: each error that a service raises becomes a problem+json answer.

This is the only module that knows which HTTP status belongs to which domain error.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from civildiy.chassis.errors import (
    Conflict,
    DomainError,
    FieldError,
    Forbidden,
    NotFound,
    Overloaded,
    Unauthorized,
    Unavailable,
)
from civildiy.chassis.http import asked_path, not_allowed
from civildiy.chassis.observability.context import request_id_header
from civildiy.chassis.problems import MEDIA_TYPE, MOST_MESSAGE, problem_body
from civildiy.chassis.resources import Resources
from civildiy.chassis.text import shortened

log = logging.getLogger(__name__)

MOST_ERRORS = 20
"""An answer names at most this many errors; a body of a megabyte can hold a hundred thousand."""

MESSAGES = {
    "string_unicode": "must not hold half a surrogate pair",
    "extra_forbidden": "is unknown; correct or remove it",
    "missing": "is missing; send it",
    "timezone_aware": "must have a time zone, such as the Z of 2030-01-31T12:00:00Z",
}
"""What is said of an error in place of the validating library's own words."""

STATUS: dict[type[DomainError], HTTPStatus] = {
    Unauthorized: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    Overloaded: HTTPStatus.SERVICE_UNAVAILABLE,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""The HTTP status of each kind of domain error. A service's own subclass gets the status of its parent."""


Handler = Callable[[Request, Exception], Awaitable[Response]]


def status_of(error: DomainError) -> HTTPStatus:
    """Return the status for `error`: its own class decides, or else the nearest parent in the table."""
    kinds = (STATUS.get(kind) for kind in type(error).__mro__)
    return next(filter(None, kinds), HTTPStatus.INTERNAL_SERVER_ERROR)


def _answer(
    request: Request,
    status: HTTPStatus,
    detail: str,
    errors: Sequence[FieldError] = (),
    headers: dict[str, str] | None = None,
) -> Response:
    body = problem_body(status, detail, asked_path(request.scope), errors)
    return Response(body, status.value, headers, MEDIA_TYPE)


async def _on_domain_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, DomainError)
    return _answer(request, status_of(error), error.detail, error.errors, _headers(error))


def _headers(error: DomainError) -> dict[str, str]:
    headers = {}
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, Unauthorized):  # RFC 6750, section 3: no error code without a token
        problem = ', error="invalid_token"' if error.invalid_token else ""
        headers["WWW-Authenticate"] = f'Bearer realm="civildiy"{problem}'
    return headers


def _on_http_exception(resources: Resources) -> Handler:
    async def answer(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        status = HTTPStatus(error.status_code)
        headers = dict(error.headers or {})
        detail, path = error.detail, request.scope["path"]
        if status is HTTPStatus.NOT_FOUND and detail == status.phrase:
            detail = f"There is nothing at {shortened(path)}."
        if status is HTTPStatus.METHOD_NOT_ALLOWED:  # the framework knows the methods of one route only
            headers = resources.allow(path)
            detail = not_allowed(request.method, path, headers["Allow"])
        return _answer(request, status, detail, headers=headers)

    return answer


def _name(location: Sequence[Any]) -> str:
    """Return the name of a field: ('body', 'preferences', 'a') is 'preferences.a', the whole body is 'body'.

    A JSON syntax error carries the character's position instead of a name.
    """
    parts = [str(part) for part in location]
    if len(parts) == 2 and parts[0] == "body" and parts[1].isdigit():
        return "body"
    return ".".join(parts[1:]) or parts[0]


def _message(error: Mapping[str, Any]) -> str:
    """Return what is wrong, without words that name parts of the validating library."""
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    if error["type"] in ("model_attributes_type", "dict_type", "model_type"):
        return "must be a JSON object, such as {…}"
    if error["type"].endswith("too_long") or error["type"].endswith("too_short"):
        return _length(error)
    return MESSAGES.get(error["type"]) or re.sub(r"^\w+ should", "must", str(error["msg"]))


def _length(error: Mapping[str, Any]) -> str:
    """Return the limit of a text or a list that is too long or too short."""
    limits, value = error["ctx"], error["input"]
    what = "characters" if isinstance(value, str) else "entries"
    most = limits.get("max_length")
    limit = f"at least {limits.get('min_length')}" if most is None else f"at most {most}"
    return f"must have {limit} {what}, not {len(value)}"


async def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [
        FieldError(field=shortened(_name(e["loc"])), message=shortened(_message(e), MOST_MESSAGE))
        for e in error.errors()[:MOST_ERRORS]
    ]
    detail = "; ".join(f"{e.field}: {e.message}" for e in errors[:3])
    return _answer(request, HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors)


async def _on_unexpected(request: Request, error: Exception) -> Response:
    return _answer(
        request,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "An unexpected error happened in the service; its log has the details. Try again, or report it with"
        " the X-Request-Id of this answer.",
        # The framework answers outside all middleware, so RequestContext cannot add the header here.
        headers=request_id_header(),
    )


def _on_driver_error(unit: str) -> Handler:
    async def answer(request: Request, error: Exception) -> Response:
        log.warning("%s: %s", unit, shortened(error, 300))
        return await _on_domain_error(request, Unavailable(unit))

    return answer


def install_problem_handlers(
    app: FastAPI, drivers: Mapping[type[Exception], str], resources: Resources
) -> None:
    """Register a handler for every kind of error, so that `app` answers each with problem+json.

    `resources` knows the methods of each path. `drivers` maps the root error of a database driver to the unit
    that the driver talks to; the answer to such an error has status 503 and names the unit.
    """
    for root, unit in drivers.items():
        app.add_exception_handler(root, _on_driver_error(unit))
    app.add_exception_handler(DomainError, _on_domain_error)
    app.add_exception_handler(HTTPException, _on_http_exception(resources))
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(Exception, _on_unexpected)
