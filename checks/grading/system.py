"""The live system as the checks see it: which units answer, and units stopped on purpose."""

import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import bson
import httpx

from grading.outcome import NotGradable, Wrong
from lab import plain
from lab.backend import Backend
from lab.choice import chosen
from lab.course.running import active
from lab.home import Home
from lab.readiness import slow, waiting_for

T = TypeVar("T")

home = Home.from_environment()
backend = chosen(home)
ENDPOINTS = backend.endpoints()
SERVERS = ("postgresql", "mongodb", "redis", "kafka", "consul", "traefik")
HEAL_SECONDS = 60.0
WELL_SECONDS = 15.0


def http() -> httpx.Client:
    """A client that ignores proxies."""
    return plain.client(timeout=10)


_HELLO = bson.encode({"hello": 1, "$db": "admin"})
# The shortest honest question in each protocol, and how its answer begins.
_QUESTIONS = {
    "postgresql": (struct.pack("!ii", 8, 80877103), b""),  # SSLRequest
    "redis": (b"PING\r\n", b"+PONG"),
    "kafka": (struct.pack("!ihhih", 10, 18, 0, 7, 0), b""),  # ApiVersions v0, client id ""
    "mongodb": (struct.pack("<iiiiIB", 21 + len(_HELLO), 1, 0, 2013, 0, 0) + _HELLO, b""),  # OP_MSG
}


def answers(unit: str) -> bool:
    """Whether a server answers a question of its own protocol within two seconds."""
    try:
        if unit in _QUESTIONS:
            host, _, port = ENDPOINTS[unit].rpartition(":")
            question, beginning = _QUESTIONS[unit]
            with socket.create_connection((host, int(port)), 2 * slow()) as connection:
                connection.settimeout(2 * slow())
                connection.sendall(question)
                answer = connection.recv(64)
            return bool(answer) and answer.startswith(beginning)
        path = {"consul": "/v1/status/leader", "traefik": "/ping"}[unit]
        seen = plain.get(ENDPOINTS[unit] + path, timeout=2 * slow())
    except (OSError, httpx.HTTPError):
        return False
    return seen.status_code == 200 and seen.text not in ("", '""')


def dead_servers() -> list[str]:
    """Servers that do not answer."""
    return [unit for unit in SERVERS if not answers(unit)]


def missing(excepted: tuple[str, ...] = ()) -> list[str]:
    """What is not there of the whole system; without what the units in `excepted` are to blame for."""
    with plain.client(timeout=3) as client:
        found = waiting_for(ENDPOINTS, client)
    return [what for what in found if not any(unit.split("-")[0] in what for unit in excepted)]


def eventually(look: Callable[[], T], *, within: float, what: str) -> T:
    """The first truthy answer of `look`, polled. Raises Wrong with the last one seen."""
    began = time.monotonic()
    last: object = "nothing"
    while time.monotonic() - began < within * slow():
        try:
            if last := look():
                return last
        except (httpx.HTTPError, OSError, ValueError) as error:
            last = f"{type(error).__name__}: {error}"
        time.sleep(0.05)
    raise Wrong(
        f"waited for {what}",
        f"it within {within * slow():g} s",
        f"last: {last}",
        "It did not happen in time.",
    )


@contextmanager
def stopped(unit: str) -> Iterator[None]:
    """Stop a unit on purpose; it runs and answers again afterwards, whatever happens."""
    backend.stop_unit(unit)
    try:
        yield
    finally:
        backend.start_unit(unit)
        heal()


def heal() -> None:
    """Wait until all servers answer. Raises NotGradable."""
    deadline = time.monotonic() + HEAL_SECONDS * slow()
    while dead := dead_servers():
        if time.monotonic() > deadline:
            raise NotGradable(f"{dead[0]} did not come back within {HEAL_SECONDS * slow():.0f} s")
        time.sleep(0.1)


def wait_until_well() -> None:
    """Wait until all services are reached and ready: the check before may have disturbed them.

    Units that run the learner's code may never be ready; nobody waits for them. Raises NotGradable.
    """
    deadline = time.monotonic() + WELL_SECONDS * slow()
    learners = tuple({unit for lab in active(home) for unit in lab.units})
    while away := missing(learners):
        if time.monotonic() > deadline:
            raise NotGradable(f"waited {WELL_SECONDS * slow():.0f} s, and still missing is: {away[0]}")
        time.sleep(0.1)


@contextmanager
def second_instance(service: str, backend: Backend = backend) -> Iterator[str]:
    """Run a second instance of a service; yields its unit. Raises NotGradable."""
    unit = f"{service}-2"

    def runs() -> bool:
        return backend.pid_of(unit) is not None

    _wait_until(lambda: not runs(), f"an earlier {unit} to end")
    backend.start_unit(unit)
    try:
        _wait_until(runs, f"{unit} to start")
        yield unit
    finally:
        backend.stop_unit(unit)
        _wait_until(lambda: not runs(), f"{unit} to end")


def _wait_until(there: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 15 * slow()
    while not there():
        if time.monotonic() > deadline:
            raise NotGradable(f"waited {15 * slow():.0f} s for {what}")
        time.sleep(0.05)
