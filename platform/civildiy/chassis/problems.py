"""The shape of every error answer: RFC 9457 problem+json.

`civildiy.chassis.errors` holds the errors themselves, and `civildiy.chassis.handlers` turns each one into
such an answer. The gateway's protocol errors use the same shape (`civildiy.chassis.http`, `protocol`).

Source: https://www.rfc-editor.org/rfc/rfc9457
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import orjson
from pydantic import BaseModel

from civildiy.chassis.errors import FieldError
from civildiy.chassis.text import shortened

MEDIA_TYPE = "application/problem+json"
MOST_DETAIL, MOST_MESSAGE = 800, 200
"""In characters. Each message already shortens the text that it repeats; this is the last limit."""


class ProblemDetail(BaseModel):
    """The body of every error answer."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FieldError] | None = None


def problem_body(
    status: HTTPStatus, detail: str, instance: str, errors: Sequence[FieldError] | None = None
) -> bytes:
    """Return the problem+json document for one error. Its length is bounded, however long the request was."""
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
    """Return the `responses=` of a route for the error statuses that it can answer."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": ProblemDetail.model_json_schema()}},
        }
        for status in statuses
    }
