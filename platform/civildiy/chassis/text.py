"""Text that every store here can keep: PostgreSQL and JSON refuse some of what Python allows."""

import math
from typing import Annotated, Any

from pydantic import AfterValidator

MAX_DEPTH = 20
MAX_INTEGER = 2**63 - 1


def storable_text(value: str) -> str:
    """The text as it came. Raises ValueError for NUL and for half a surrogate pair."""
    if "\x00" in value:
        raise ValueError("must not hold the character NUL (U+0000)")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("must not hold half a surrogate pair") from None
    return value


def storable_json(value: Any, depth: int = 0) -> Any:
    """The JSON value as it came. Raises ValueError for what the databases could not give back."""
    if depth > MAX_DEPTH:
        raise ValueError(f"must not be nested deeper than {MAX_DEPTH} levels")
    match value:
        case str():
            storable_text(value)
        case bool() | None:
            pass
        case int() if abs(value) > MAX_INTEGER:
            raise ValueError("must not hold integers of more than 64 bits")
        case float() if not math.isfinite(value):
            raise ValueError("must not hold NaN or Infinity, which are not JSON")
        case list():
            for item in value:
                storable_json(item, depth + 1)
        case dict():
            for key, item in value.items():
                storable_text(key)
                storable_json(item, depth + 1)
    return value


Text = Annotated[str, AfterValidator(storable_text)]
