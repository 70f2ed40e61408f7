"""The profile service as the checks ask it, and what its answers have in common."""

import httpx
from grading import checked_http
from grading.outcome import require
from grading.people import Person, said
from grading.system import ENDPOINTS

PATH = "/api/profile"
OWN = ENDPOINTS["profile"]
GATEWAY = ENDPOINTS["gateway"]


def at_service(path: str, seconds: float = 8) -> httpx.Response:
    return checked_http.get(OWN + path, timeout=seconds)


def made(person: Person, **fields: object) -> dict[str, object]:
    """A profile that exists; its creation must be accepted."""
    answer = person.http.post(PATH, json=fields)
    require(
        answer.status_code == 201,
        f"POST {PATH} with {fields}",
        expected="201 Created",
        saw=said(answer),
        means="A new profile was created, so the answer must be 201, as the decorator of `create` says.",
    )
    found: dict[str, object] = answer.json()
    return found


def problem(answer: httpx.Response, status: int, did: str, names: str, means: str) -> None:
    """The answer is a problem document of this status that names `names`."""
    kind = answer.headers.get("content-type", "")
    good = answer.status_code == status and kind.startswith("application/problem+json")
    require(
        good and names in answer.text,
        did,
        expected=f"{status} application/problem+json" + (f" that names '{names}'" if names else ""),
        saw=f"{kind}: {said(answer)}",
        means=means,
    )
