"""The request bodies that the services accept: JSON in UTF-8, not compressed, and with one meaning.

Sources: RFC 9110, section 15.5.16 (415); RFC 6839 (the suffix +json); RFC 8259 (JSON) and RFC 7493
(I-JSON), which forbids two members with one name, because parsers disagree about which of them counts.
"""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from civildiy.chassis.text import shortened

Headers = Iterable[tuple[bytes, bytes]]

_JSON = re.compile(r"application/(json|[a-z0-9!#$&^_.+-]+\+json)", re.ASCII)
_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+"?|[][{}]', re.DOTALL)
"""A string, in which brackets have no meaning, or a bracket. A string without an end goes to the end of the
text: if it did not match, each later quotation mark would read the rest of the text again."""
MOST_LEVELS = 100
"""No body of the API needs more than a few levels, and a parser fails at about a thousand."""
EXPECTED = "Send the body as JSON, with the header `Content-Type: application/json`"


class Unsupported(Exception):
    """No service accepts this kind of body (415). `headers` name the kind that is accepted."""

    def __init__(self, detail: str, header: str, value: str) -> None:
        super().__init__(detail)
        self.headers = {header: value}


class Malformed(ValueError):
    """The body is not I-JSON: it cannot be read, has two meanings, or holds a value that JSON lacks."""


def require_json(headers: Headers) -> None:
    """Raise Unsupported unless `headers` declare a JSON body, or no body at all.

    Parameters of the media type are ignored: RFC 8259 gives `charset` no meaning, a body is UTF-8.
    """
    values: dict[bytes, list[str]] = {}
    for name, value in headers:
        values.setdefault(name, []).append(value.decode("latin-1").strip())
    codings = ", ".join(values.get(b"content-encoding", [])).lower()
    if codings not in ("", "identity"):
        raise Unsupported(
            f"The body has the content coding {shortened(codings)!r}. Send it without one.",
            "Accept-Encoding",
            "identity",
        )
    kinds = values.get(b"content-type", [])
    has_body = b"transfer-encoding" in values or values.get(b"content-length", ["0"]) != ["0"]
    if len(kinds) == 1 and _JSON.fullmatch(kinds[0].partition(";")[0].strip().lower()):
        return
    if kinds or has_body:
        was = f"it was {shortened(', '.join(kinds))!r}" if kinds else "the request had no such header"
        raise Unsupported(f"{EXPECTED}; {was}.", "Accept", "application/json")


def require_i_json(body: bytes) -> None:
    """Raise Malformed for a body that is not a JSON text in UTF-8 with one meaning; an empty body passes.

    Everything that passes can also be read by the framework, which parses the body next.
    """
    if not body:
        return
    try:
        text = body.decode().removeprefix("\ufeff")  # RFC 8259 lets a reader ignore a byte order mark
    except UnicodeDecodeError as error:
        raise Malformed(
            f"is not UTF-8: byte {error.start} is 0x{body[error.start]:02x}; encode the JSON in UTF-8"
        ) from error
    if _nested(text):
        raise Malformed(f"is nested deeper than {MOST_LEVELS} levels; send a flatter value")
    try:
        json.loads(text, object_pairs_hook=_members, parse_constant=_constant)
    except Malformed:
        raise
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Malformed(f"is not valid JSON ({shortened(error.msg)}: {where}); correct it there") from error
    except ValueError as error:  # Python reads integers of 4,300 digits at most
        raise Malformed("holds an integer of thousands of digits; send one of at most 64 bits") from error


def _nested(text: str) -> bool:
    """Return whether arrays and objects are nested deeper than MOST_LEVELS."""
    if text.count("[") + text.count("{") <= MOST_LEVELS:
        return False
    level = 0
    for bracket in _BRACKET.finditer(text):
        level += {"[": 1, "{": 1, "]": -1, "}": -1}.get(bracket[0], 0)
        if level > MOST_LEVELS:
            return True
    return False


def _members(pairs: Sequence[tuple[str, Any]]) -> None:
    names = set()
    for name, _ in pairs:
        if name in names:
            raise Malformed(f"the name {shortened(name)!r} stands twice in one object; send it once")
        names.add(name)


def _constant(name: str) -> None:
    raise Malformed(f"{name} is not a JSON number; send null or a finite number")
