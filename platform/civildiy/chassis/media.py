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
EXPECTED = "Send the body as JSON, with the header `Content-Type: application/json`"


class Unsupported(Exception):
    """No service accepts this kind of body (415). `headers` name the kind that is accepted."""

    def __init__(self, detail: str, header: str, value: str) -> None:
        super().__init__(detail)
        self.headers = {header: value}


class Ambiguous(ValueError):
    """The body is not I-JSON: it has two meanings, or it holds a value that JSON does not have."""


def require_json(headers: Headers) -> None:
    """Raise Unsupported unless `headers` declare a JSON body, or no body at all.

    Parameters of the media type are ignored: RFC 8259 gives `charset` no meaning, a body is UTF-8.
    """
    found: dict[bytes, list[str]] = {}
    for name, value in headers:
        found.setdefault(name, []).append(value.decode("latin-1").strip())
    codings = ", ".join(found.get(b"content-encoding", [])).lower()
    if codings not in ("", "identity"):
        raise Unsupported(
            f"The body has the content coding {shortened(codings)!r}. Send it without one.",
            "Accept-Encoding",
            "identity",
        )
    kinds = found.get(b"content-type", [])
    has_body = b"transfer-encoding" in found or found.get(b"content-length", ["0"]) != ["0"]
    if len(kinds) == 1 and _JSON.fullmatch(kinds[0].partition(";")[0].strip().lower()):
        return
    if kinds or has_body:
        was = f"it was {shortened(', '.join(kinds))!r}" if kinds else "the request had no such header"
        raise Unsupported(f"{EXPECTED}; {was}.", "Accept", "application/json")


def require_one_meaning(body: bytes) -> None:
    """Raise Ambiguous for JSON in which an object has a name twice, and for NaN and Infinity.

    A body that is not JSON at all passes: the framework parses it next, and its error names the position.
    """
    try:
        json.loads(body, object_pairs_hook=_members, parse_constant=_constant)
    except Ambiguous:
        raise
    except (ValueError, RecursionError):
        return


def _members(pairs: Sequence[tuple[str, Any]]) -> None:
    names = set()
    for name, _ in pairs:
        if name in names:
            raise Ambiguous(f"the name {shortened(name)!r} stands twice in one object; send it once")
        names.add(name)


def _constant(name: str) -> None:
    raise Ambiguous(f"{name} is not a JSON number; send null or a finite number")
