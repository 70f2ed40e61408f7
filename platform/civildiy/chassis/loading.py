"""Read settings from the environment, and refuse to start with a text that a person understands.

It knows no settings class, so telemetry can use it as well as the services do.
"""

from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

S = TypeVar("S", bound=BaseSettings)
WORDS = (("Value error, ", ""), ("Field required", "is not set"), ("Input should", "must"))
"""Words of the validating library, and what a person reads in their place."""


class SettingsRefused(SystemExit):
    """A variable is missing or not usable; the text names each one."""


def _said(message: str) -> str:
    for theirs, ours in WORDS:
        message = message.replace(theirs, ours)
    return message


def load_settings(kind: type[S]) -> S:
    """Read `kind` from the environment.

    Raises SettingsRefused, which ends the process with one line for each bad variable.
    """
    try:
        return kind()
    except ValidationError as error:
        lines = [f"  {str(e['loc'][0]).upper()}: {_said(e['msg'])}" for e in error.errors()]
        raise SettingsRefused(
            "These environment variables are missing or not usable:\n" + "\n".join(lines)
        ) from None
