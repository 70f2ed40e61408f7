"""Domain errors: what the rules of a service refuse, each with a message that tells a client what to do.

Stores, commands and other domain modules raise these errors. They know nothing of HTTP, so a worker or a
tool can use the same modules. `civildiy.chassis.handlers` maps each kind of error to an HTTP status.
"""

from collections.abc import Sequence

from pydantic import BaseModel


class FieldError(BaseModel):
    """One field of a request that was refused, and why."""

    field: str
    message: str


class DomainError(Exception):
    """Root of all errors that a service reports to its client.

    `detail` is a full sentence for a person. `retry_after_seconds` is set when the same request may succeed
    later without a change.
    """

    retry_after_seconds: int | None = None

    def __init__(self, detail: str, *, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors


class Unauthorized(DomainError):
    """The request does not prove which user sends it.

    `invalid_token` is true when the request carried a token, and the token was refused.
    """

    def __init__(self, detail: str, *, invalid_token: bool = False) -> None:
        super().__init__(detail)
        self.invalid_token = invalid_token


class Forbidden(DomainError):
    """The user is known and may not do this."""


class NotFound(DomainError):
    """The object does not exist, or this user must not learn that it does."""


class Conflict(DomainError):
    """The request contradicts what is stored, for example a name that another user has."""


class Overloaded(DomainError):
    """This process already works on as many requests of this kind as it accepts."""

    retry_after_seconds = 1


class Unavailable(DomainError):
    """A unit that this service depends on does not answer; `unit` names it."""

    retry_after_seconds = 1

    def __init__(self, unit: str, detail: str = "") -> None:
        super().__init__(
            detail or f"{unit} does not answer right now; try again in a moment.",
            errors=[FieldError(field=unit, message="does not answer")],
        )
        self.unit = unit
