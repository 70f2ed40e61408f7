"""Values from clients: which of them every database here can store, and how to show one in a message.

PostgreSQL and JSON refuse some values that Python allows. A value is shortened and made visible before a
message shows it, so that an answer, a log line or a header does not grow with the request.
"""

import json
import math
from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator

MAX_DEPTH = 20
MAX_INTEGER = 2**63 - 1
FIRST_WITH_EXPONENT = 10**16
"""From here on, Python writes a double with an exponent."""
SHOWN = 80
"""A message shows at most this many characters of a client's value."""


def shortened(value: object, most: int = SHOWN) -> str:
    """Return the value as text for a message: at most `most` characters, and no control characters.

    >>> shortened("a" * 1000, 10)
    'aaaaaaaaaa… (1000 characters)'
    >>> shortened("one\\ntwo\\ud800")
    'one\\\\ntwo?'
    """
    text = str(value)
    # A megabyte is cut before it is processed.
    shown = "".join(map(_visible, text[:most].encode(errors="replace").decode()))
    return shown if len(text) <= most else f"{shown}… ({len(text)} characters)"


def _visible(character: str) -> str:
    # Line ends would begin a new log line, and bidirectional marks would reorder the text.
    return character if character.isprintable() else ascii(character)[1:-1]


def without(value: Any, names: Iterable[str]) -> Any:
    """Return a JSON object without the members `names`, and any other value unchanged.

    For a PUT: a client may send back what GET answered, with the fields that only the service sets.
    """
    if not isinstance(value, dict):
        return value
    return {name: item for name, item in value.items() if name not in set(names)}


def storable_text(value: str) -> str:
    """Return the text. Raises ValueError for NUL and for half a surrogate pair."""
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
    double may come back written as an integer: 1e18 as 1000000000000000000.
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


def parsed_json(text: str | bytes) -> Any:
    """Return a JSON value that PostgreSQL has stored; a number of more than 64 bits is a double.

    PostgreSQL writes 1e308 with 309 digits. An answer that repeats them could be too long to be sent back.
    """
    return json.loads(text, parse_int=_number)


def _number(digits: str) -> int | float:
    value = int(digits)
    return float(value) if abs(value) > MAX_INTEGER and _is_double(value) else value


def json_bytes(value: Any) -> int:
    """Return the length of a JSON value in bytes, which is the same when it has been stored and read.

    1e18 and 1000000000000000000 are one number, and PostgreSQL gives back the second for the first. So a
    number that a double can hold counts as long as the double.
    """
    return len(json.dumps(_shortest(value), ensure_ascii=False).encode())


def _shortest(value: Any) -> Any:
    match value:
        case dict():
            return {name: _shortest(item) for name, item in value.items()}
        case list():
            return [_shortest(item) for item in value]
        case int() if abs(value) >= FIRST_WITH_EXPONENT and _is_double(value):
            return float(value)
        case _:
            return value


def _is_double(value: int) -> bool:
    try:
        double = float(value)
    except OverflowError:
        return False
    # The second is how PostgreSQL writes a double that is beyond 2**53: the shortest digits, and zeros.
    return value in (int(double), Decimal(repr(double)))


Text = Annotated[str, AfterValidator(storable_text)]
