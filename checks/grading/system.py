"""The running system as the checks see it: which units answer, and units stopped on purpose."""

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
from lab.deadlines import slow
from lab.errors import LabError
from lab.probes import instances
from lab.probes import local_http as bare
from lab.probes.readiness import waiting_for

T = TypeVar("T")

__all__ = [
    "ENDPOINTS", "backend", "eventually", "heal", "home", "http", "missing", "paused", "second_instance",
    "stopped", "wait_until_well",
]  # fmt: skip
HEAL_SECONDS = 60.0
WELL_SECONDS = 15.0


def http() -> httpx.Client:
    """Return a client that ignores proxies."""
    return checked_http.client(timeout=10 * slow())


def missing(excepted: tuple[str, ...] = ()) -> list[str]:
    """Return what is missing in the whole system, apart from the consequences of the `excepted` units."""
    with bare.client(timeout=3) as client:
        waiting = waiting_for(ENDPOINTS, client)
    return [what for what in waiting if not any(unit.split("-")[0] in what for unit in excepted)]


LATE = "It did not happen in time."


def eventually(
    look: Callable[[], T | None],
    *,
    within: float,
    what: str,
    means: str = LATE,
    saw: Callable[[], object] | None = None,
) -> T:
    """Call `look` repeatedly and return its first truthy result.

    Raises Wrong when none comes in time. It contains `what` was waited for, how long, the last state (the
    result of `saw`, else that of `look`), and what that `means`.
    """
    began, before = time.monotonic(), Last.source
    last: object = None
    while time.monotonic() - began < within * slow():
        try:
            if last := look():
                return last
        except Odd as error:
            last = f"{error.did} gave {error.saw}; expected: {error.expected}"
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
    """Describe the last result of a `look`; for True or False, describe the answer that it has read."""
    if last is not None and last != "" and not isinstance(last, bool):
        return str(last)
    if (source := Last.source) is not None and source is not before:
        return f"{source.did} gave {source.saw}"
    return "the condition was not met" if last is False else "nothing"


@contextmanager
def stopped(unit: str) -> Iterator[None]:
    """Stop a unit on purpose; afterwards, start it again and wait until it answers."""
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
            raise NotGradable(f"{dead[0]} did not answer again within {HEAL_SECONDS * slow():.0f} s")
        time.sleep(0.1)


def wait_until_well() -> None:
    """Wait until all services are reachable and ready, because the check before may have stopped some.

    Units that run the learner's code may never be ready, so they are left out. Raises NotGradable.
    """
    deadline = time.monotonic() + WELL_SECONDS * slow()
    learners = tuple({unit for lab in active(home) for unit in lab.units})
    while absent := missing(learners):
        if time.monotonic() > deadline:
            raise NotGradable(f"after {WELL_SECONDS * slow():.0f} s this is still missing: {absent[0]}")
        time.sleep(0.1)


@contextmanager
def second_instance(service: str, backend: Backend = backend) -> Iterator[str]:
    """Run a second instance of a service and yield its unit's name. Raises NotGradable."""
    running = instances.second_instance(backend, service)
    try:
        unit = running.__enter__()
    except LabError as error:
        raise NotGradable(str(error)) from error
    try:
        yield unit
    finally:
        try:
            running.__exit__(None, None, None)
        except LabError as error:
            raise NotGradable(str(error)) from error
