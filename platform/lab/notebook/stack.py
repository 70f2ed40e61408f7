"""Reach the running system from a notebook: its backend, its addresses, one HTTP client."""

import time
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import httpx
from pymongo import MongoClient

from lab.backends.choice import chosen
from lab.backends.inside import InsideBackend
from lab.deadlines import slow
from lab.errors import LabError
from lab.home import Home
from lab.notebook.hands import HandsOfAPerson
from lab.probes import local_http

T = TypeVar("T")

home = Home.from_environment()
backend = chosen(home)
if isinstance(backend, InsideBackend):
    backend = HandsOfAPerson(home)

__all__ = ["address", "ask", "backend", "client", "eventually", "home", "milliseconds", "mongodb"]


@cache
def mongodb() -> MongoClient[dict[str, Any]]:
    """Return a client of MongoDB, which connects when it is first used."""
    url = f"mongodb://{address('mongodb')}/?directConnection=true"
    return MongoClient(url, serverSelectionTimeoutMS=3000)


def address(unit: str) -> str:
    """Return the address of a unit: a URL, or host:port for a server without HTTP."""
    return backend.endpoints()[unit]


def client(**options: Any) -> httpx.Client:
    """Return a client of the gateway that ignores proxies."""
    return local_http.client(base_url=address("gateway"), timeout=10, **options)


def ask(url: str, method: str = "GET", timeout: float = 5, **options: Any) -> str:
    """Return the status of an answer as text; 'no answer' when none arrives in time."""
    try:
        answer = local_http.request(method, url, timeout=timeout, **options)
    except httpx.TransportError:
        return "no answer"
    return str(answer.status_code)


def eventually(look: Callable[[], T], *, within: float = 20, what: str) -> T:
    """Call `look` until its result is truthy, and return it. Raises LabError after `within` seconds."""
    deadline = time.monotonic() + within * slow()
    last: object = None
    while time.monotonic() < deadline:
        try:
            found = look()
        except (httpx.HTTPError, OSError, ValueError) as error:
            last = error
        else:
            if found:
                return found
            last = found
        time.sleep(0.05)
    raise LabError(
        f"Waited {within * slow():.0f} s for {what}; the last result was {last!r}."
        " See the state of all units: ./lab status"
    )


def milliseconds(since: float) -> float:
    """Return the milliseconds since a value of time.perf_counter()."""
    return (time.perf_counter() - since) * 1000
