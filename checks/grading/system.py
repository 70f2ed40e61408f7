"""The live system as the checks see it: which units answer, and units stopped on purpose."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

import httpx

from grading import checked_http
from grading.answers import Last, Odd, Source
from grading.outcome import NotGradable, Wrong
from grading.servers import dead_servers
from grading.stack import ENDPOINTS, backend, home
from lab.backends.protocol import Backend
from lab.course.running import active
from lab.errors import LabError
from lab.probes import local_http as bare
from lab.probes.readiness import slow, waiting_for

T = TypeVar("T")

__all__ = [
    "ENDPOINTS", "backend", "eventually", "heal", "home", "http", "missing", "paused", "second_instance",
    "stopped", "wait_until_well",
]  # fmt: skip
HEAL_SECONDS = 60.0
WELL_SECONDS = 15.0


def http() -> httpx.Client:
    """A client that ignores proxies."""
    return checked_http.client(timeout=10)


def missing(excepted: tuple[str, ...] = ()) -> list[str]:
    """What is not there of the whole system; without what the units in `excepted` are to blame for."""
    with bare.client(timeout=3) as client:
        found = waiting_for(ENDPOINTS, client)
    return [what for what in found if not any(unit.split("-")[0] in what for unit in excepted)]


LATE = "It did not happen in time."


def eventually(
    look: Callable[[], T | None],
    *,
    within: float,
    what: str,
    means: str = LATE,
    saw: Callable[[], object] | None = None,
) -> T:
    """The first truthy answer of `look`, polled.

    Raises Wrong when none came in time: with `what` was waited for, how long, the last state seen (what
    `saw` says, else what `look` gave), and what that `means`.
    """
    began, before = time.monotonic(), Last.source
    last: object = None
    while time.monotonic() - began < within * slow():
        try:
            if last := look():
                return last
        except Odd as error:
            last = f"{error.did} gave {error.saw}; {error.expected} was looked for"
        except (httpx.HTTPError, OSError, ValueError) as error:
            last = f"{type(error).__name__}: {error}"
        time.sleep(0.05)
    if saw is not None:
        try:
            last = saw()
        except (httpx.HTTPError, OSError, ValueError, Odd) as error:
            last = f"{type(error).__name__}: {error}"
    raise Wrong(
        f"waited for {what}",
        f"it within {within * slow():g} s",
        f"last: {_in_words(last, before)}",
        means,
    )


def _in_words(last: object, before: Source | None) -> str:
    """What a look saw; one that only says yes or no may have read an answer that can be shown."""
    if last is not None and last != "" and not isinstance(last, bool):
        return str(last)
    if (source := Last.source) is not None and source is not before:
        return f"{source.did} gave {source.saw}"
    return "it was not so" if last is False else "nothing"


@contextmanager
def stopped(unit: str) -> Iterator[None]:
    """Stop a unit on purpose; it runs and answers again afterwards, whatever happens."""
    backend.stop_unit(unit)
    try:
        yield
    finally:
        backend.start_unit(unit)
        heal()


@contextmanager
def paused(unit: str) -> Iterator[None]:
    """Freeze the process of a unit (SIGSTOP), and let it go on afterwards. One that has ended stays so."""
    with suppress(LabError):
        backend.signal(unit, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(LabError):
            backend.signal(unit, signal.SIGCONT)


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
