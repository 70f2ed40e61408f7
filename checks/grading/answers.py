"""Read what the learner's code answered, so that an unexpected answer fails the check and is shown.

A missing key, a body that is not JSON, a list instead of an object: such an answer must not crash the check.
The check reports its request, what it expected, and the answer.
"""

import json
from dataclasses import dataclass
from typing import Any, NoReturn

import httpx

from grading.outcome import Wrong
from lab.topology import PATHS

MEANS = "The answer does not have the form that the task describes, so the check cannot go on."
LONGEST = 400


@dataclass(frozen=True)
class Source:
    """Where a value was read: the request, the answer, and the service that gave it ('' if unknown)."""

    did: str
    saw: str
    service: str = ""


class Odd(Wrong):
    """Raised when an answer does not have the form that the task describes."""

    def __init__(self, source: Source, expected: str) -> None:
        super().__init__(source.did, expected, source.saw, MEANS)
        self.service = source.service


class Last:
    """The last answer that was read; it is shown when a check cannot use it."""

    source: Source | None = None


class Fields(dict[str, Any]):
    """A JSON object that raises Odd with the name of a missing key."""

    def __init__(self, value: dict[str, Any], source: Source, place: str) -> None:
        super().__init__({key: held(inner, source, f"{place}{key}.") for key, inner in value.items()})
        self._source, self._place = source, place

    def __missing__(self, key: object) -> NoReturn:
        raise Odd(self._source, f"a field '{self._place}{key}'")


class Items(list[Any]):
    """A JSON list that raises Odd when it is too short, or used as an object."""

    def __init__(self, value: list[Any], source: Source, place: str) -> None:
        super().__init__(held(inner, source, f"{place}{n}.") for n, inner in enumerate(value))
        self._source, self._place = source, place

    def __getitem__(self, index: Any) -> Any:
        try:
            return super().__getitem__(index)
        except IndexError:
            raise Odd(self._source, f"an entry '{self._place}{index}'") from None
        except TypeError:
            raise Odd(self._source, f"an object with a field '{self._place}{index}', not a list") from None

    def get(self, key: str, default: object = None) -> NoReturn:
        """Raise Odd: only an object has this method."""
        raise Odd(self._source, f"an object with a field '{self._place}{key}', not a list")


def held(value: Any, source: Source, place: str = "") -> Any:
    """Return the same value and remember its source; its objects and lists raise Odd for a missing part."""
    if not place:
        Last.source = source
    if isinstance(value, dict):
        return Fields(value, source, place)
    if isinstance(value, list):
        return Items(value, source, place)
    return value


def parsed(raw: bytes | str, did: str, service: str = "") -> Any:
    """Parse JSON that did not come in an HTTP answer, with the same care. Raises Odd."""
    text = raw.decode(errors="replace") if isinstance(raw, bytes) else raw
    source = Source(did, text[:LONGEST] or "nothing", service)
    try:
        return held(json.loads(raw), source)
    except ValueError:
        raise Odd(source, "JSON") from None


class Answer(httpx.Response):
    """An HTTP answer whose JSON may have any form."""

    @classmethod
    def of(cls, response: httpx.Response) -> "Answer":
        """Return the same answer as an Answer, and remember it as the last one."""
        answer = cls.__new__(cls)
        answer.__dict__ = response.__dict__
        Last.source = source_of(answer)
        return answer

    def json(self, **options: Any) -> Any:
        """Return the body. Raises Odd when it is not JSON, and later for a missing part."""
        source = source_of(self)
        try:
            return held(super().json(**options), source)
        except ValueError:
            raise Odd(source, "a body of JSON") from None


def source_of(answer: httpx.Response) -> Source:
    """Describe a request and its answer."""
    kind = answer.headers.get("location", "") and f", Location: {answer.headers['location']}"
    saw = f"{answer.status_code} {answer.reason_phrase}{kind} {answer.text[:LONGEST] or '(no body)'}"
    return Source(asked(answer.request), saw, service_of(answer.request.url))


def asked(request: httpx.Request) -> str:
    """Describe a request, such as 'GET /api/posts?limit=1'."""
    return f"{request.method} {request.url.raw_path.decode(errors='replace')}"


def service_of(url: httpx.URL) -> str:
    """Return the service to which a path of the system belongs; '' for other paths."""
    return next((unit for unit, path in PATHS.items() if f"{url.path}/".startswith(f"/api/{path}/")), "")
