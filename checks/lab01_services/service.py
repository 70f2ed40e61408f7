"""The profile service as the checks ask it, and what its answers have in common."""

from concurrent.futures import Future, wait

import httpx
from grading import checked_http
from grading.outcome import require
from grading.people import Person, said
from grading.system import ENDPOINTS

from lab.deadlines import slow

PATH = "/api/profile"
OWN = ENDPOINTS["profile"]
GATEWAY = ENDPOINTS["gateway"]
EARLY_SECONDS = 0.2


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
        means="A new profile was created, so the answer must be 201, as the decorator of `create` says."
        if answer.is_success
        else "These fields are valid and the user has no profile, so `create` must make one. It gives the"
        " store all fields, also those that were not sent, and returns what the store returns.",
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


def no_success_yet(name: str, method: str, waiting: Future[httpx.Response]) -> None:
    """A request whose row is locked has not reported a success."""
    wait([waiting], EARLY_SECONDS * slow())
    early = waiting.done() and waiting.exception() is None and waiting.result().is_success
    require(
        not early,
        f"{method} {PATH} while another transaction holds a lock on this user's row",
        expected="no answer before the row is free, or 503",
        saw=said(waiting.result()) if early else "",
        means=f"`{name}` answers before the store has made the change, which can still fail. `await` the"
        " store's call before you return.",
    )
