"""What the learner's code answered, read so that an odd answer fails the check and is shown.

A key that is missing, a body that is no JSON, a list in place of an object: a check that reads such a
thing must not break. It says what it asked, what it looked for and what came.
"""

import json
from dataclasses import dataclass
from typing import Any, NoReturn

import httpx

from grading.outcome import Wrong
from lab.topology import PATHS

MEANS = "The answer does not hold what the task describes, so nothing more can be looked at."
LONGEST = 400


@dataclass(frozen=True)
class Source:
    """Where something was read: what was done, what came, and which service answered ('' if none did)."""

    did: str
    saw: str
    service: str = ""


class Odd(Wrong):
    """What was read is not what the task describes."""

    def __init__(self, source: Source, expected: str) -> None:
        super().__init__(source.did, expected, source.saw, MEANS)
        self.service = source.service


class Last:
    """What was read last: it is shown when a check can make nothing of it."""

    source: Source | None = None


class Fields(dict[str, Any]):
    """A JSON object that says by itself which key is missing."""

    def __init__(self, found: dict[str, Any], source: Source, place: str) -> None:
        super().__init__({key: held(value, source, f"{place}{key}.") for key, value in found.items()})
        self._source, self._place = source, place

    def __missing__(self, key: object) -> NoReturn:
        raise Odd(self._source, f"a field '{self._place}{key}'")


class Items(list[Any]):
    """A JSON list that says by itself that it is too short, or that an object should be there."""

    def __init__(self, found: list[Any], source: Source, place: str) -> None:
        super().__init__(held(value, source, f"{place}{n}.") for n, value in enumerate(found))
        self._source, self._place = source, place

    def __getitem__(self, index: Any) -> Any:
        try:
            return super().__getitem__(index)
        except IndexError:
            raise Odd(self._source, f"an entry '{self._place}{index}'") from None
        except TypeError:
            raise Odd(self._source, f"an object with a field '{self._place}{index}', not a list") from None

    def get(self, key: str, default: object = None) -> NoReturn:
        """What an object would have."""
        raise Odd(self._source, f"an object with a field '{self._place}{key}', not a list")


def held(value: Any, source: Source, place: str = "") -> Any:
    """The same value; objects and lists in it raise Odd when something is missing. Notes the source."""
    if not place:
        Last.source = source
    if isinstance(value, dict):
        return Fields(value, source, place)
    if isinstance(value, list):
        return Items(value, source, place)
    return value


def parsed(raw: bytes | str, did: str, service: str = "") -> Any:
    """JSON from somewhere else than an HTTP answer, read as carefully. Raises Odd."""
    text = raw.decode(errors="replace") if isinstance(raw, bytes) else raw
    source = Source(did, text[:LONGEST] or "nothing", service)
    try:
        return held(json.loads(raw), source)
    except ValueError:
        raise Odd(source, "JSON") from None


class Answer(httpx.Response):
    """An HTTP answer whose JSON may be anything."""

    @classmethod
    def of(cls, response: httpx.Response) -> "Answer":
        """The same answer, read with care."""
        answer = cls.__new__(cls)
        answer.__dict__ = response.__dict__
        Last.source = source_of(answer)
        return answer

    def json(self, **options: Any) -> Any:
        """The body. Raises Odd when it is no JSON, and later for what is missing in it."""
        source = source_of(self)
        try:
            return held(super().json(**options), source)
        except ValueError:
            raise Odd(source, "a body of JSON") from None


def source_of(answer: httpx.Response) -> Source:
    """Request and answer in words."""
    kind = answer.headers.get("location", "") and f", Location: {answer.headers['location']}"
    saw = f"{answer.status_code} {answer.reason_phrase}{kind} {answer.text[:LONGEST] or '(no body)'}"
    return Source(asked(answer.request), saw, service_of(answer.request.url))


def asked(request: httpx.Request) -> str:
    """'GET /api/posts?limit=1'."""
    return f"{request.method} {request.url.raw_path.decode(errors='replace')}"


def service_of(url: httpx.URL) -> str:
    """The service that a path of the system belongs to; '' for others."""
    return next((unit for unit, path in PATHS.items() if f"{url.path}/".startswith(f"/api/{path}/")), "")
