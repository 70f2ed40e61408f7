"""One root of errors and one shape on the wire: RFC 9457 problem+json.

Workers raise them too, so nothing here needs the web framework: that takes a third of a second to load.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import orjson
from pydantic import BaseModel

from civildiy.chassis.text import shortened

MEDIA_TYPE = "application/problem+json"
MOST_DETAIL, MOST_MESSAGE = 800, 200
"""Characters. Each message shortens what it repeats; this bounds an answer in which one forgot to."""


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
    """The problem+json document for one error, as bytes. Its length does not depend on the request's."""
    problem = ProblemDetail(
        title=status.phrase,
        status=status.value,
        detail=shortened(detail, MOST_DETAIL),
        instance=shortened(instance),
        errors=[
            FieldError(field=shortened(error.field), message=shortened(error.message, MOST_MESSAGE))
            for error in errors or ()
        ]
        or None,
    )
    return orjson.dumps(problem.model_dump(exclude_none=True))


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route for the error statuses it can answer."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": ProblemDetail.model_json_schema()}},
        }
        for status in statuses
    }
