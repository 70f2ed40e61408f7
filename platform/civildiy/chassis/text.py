"""Values from outside: which of them every store here can keep, and how to repeat one in a message.

PostgreSQL and JSON refuse some of what Python allows. What a message repeats is shortened and made
visible, so that an answer, a log line or a header does not grow with what somebody sent.
"""

import math
from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator

MAX_DEPTH = 20
MAX_INTEGER = 2**63 - 1
SHOWN = 80
"""So many characters of a value from outside are repeated."""


def shortened(value: object, most: int = SHOWN) -> str:
    """The value as text for a message: at most `most` characters of it, and no control characters.

    >>> shortened("a" * 1000, 10)
    'aaaaaaaaaa… (1000 characters)'
    >>> shortened("one\\ntwo\\ud800")
    'one\\\\ntwo?'
    """
    text = str(value)
    # A megabyte is cut before it is worked on.
    shown = "".join(map(_visible, text[:most].encode(errors="replace").decode()))
    return shown if len(text) <= most else f"{shown}… ({len(text)} characters)"


def _visible(character: str) -> str:
    # Not printable are line ends, which would begin a new log line, and marks that reorder text.
    return character if character.isprintable() else ascii(character)[1:-1]


def without(value: Any, names: Iterable[str]) -> Any:
    """A JSON object without the members `names`; any other value as it came.

    For a PUT: a client may send back what it read, also the fields that only the service sets.
    """
    if not isinstance(value, dict):
        return value
    return {name: item for name, item in value.items() if name not in set(names)}


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
    """The JSON value as it came. Raises ValueError for what the databases could not give back.

    A number is what JSON means everywhere (RFC 8259, section 6): an integer of 64 bits or a double. A
    double may come back written as an integer: 1e22 as 10000000000000000000000.
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"must not be nested deeper than {MAX_DEPTH} levels")
    match value:
        case str():
            storable_text(value)
        case bool() | None:
            pass
        case int() if abs(value) > MAX_INTEGER and not _is_double(value):
            raise ValueError("must not hold integers of more than 64 bits that a double cannot hold")
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


def _is_double(value: int) -> bool:
    try:
        double = float(value)
    except OverflowError:
        return False
    # The second is how PostgreSQL writes a double that is beyond 2**53: the shortest digits, and zeros.
    return value in (int(double), Decimal(repr(double)))


Text = Annotated[str, AfterValidator(storable_text)]
