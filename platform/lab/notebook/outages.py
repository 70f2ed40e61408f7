"""Stop, kill or freeze a part of the system, and record what clients and Consul see meanwhile."""

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from lab import topology
from lab.notebook import events, feed, registry
from lab.notebook.people import Person
from lab.notebook.stack import address, ask, backend, eventually, milliseconds
from lab.notebook.system import back, stopped
from lab.notebook.watching import Seen, watching

BEFORE_SECONDS = 0.5
"""How long a watch looks at the healthy system first."""
USUAL_POSTS = 10
"""So many posts are written first, to see how long an answer takes usually."""
STARTS_SECONDS = 90
"""A server of a busy machine is started again within this, and the feed has caught up."""
Answer = tuple[int, float]
"""The status of an answer and its milliseconds."""
WEB = topology.PATHS


def health_without(store: str, service: str, seconds: float = 2) -> Seen:
    """What a service's two health endpoints answer while the store it needs is stopped."""
    base = address(service)
    asked = {path: _asks(f"{base}{path}") for path in ("/health", "/ready")}
    with watching(asked) as seen:
        time.sleep(BEFORE_SECONDS)
        seen.mark(f"{store} stops")
        with stopped(store):
            time.sleep(seconds)
            seen.mark(f"{store} starts")
        seen.mark("system healthy")
        time.sleep(BEFORE_SECONDS)
    return seen


def killed(service: str) -> Seen:
    """Record Consul's state and the gateway's answers around a kill -9."""
    return _watched(
        service, lambda mark: _signalled(service, signal.SIGKILL, mark), "kill -9", "started again"
    )


def asked_to_stop(service: str) -> Seen:
    """Record the same around a SIGTERM, after which the service can deregister first."""
    return _watched(
        service, lambda mark: _signalled(service, signal.SIGTERM, mark), "SIGTERM", "started again"
    )


def frozen(service: str, seconds: float = 4) -> Seen:
    """Record the same while the process is frozen: it keeps its port, and answers nothing."""

    def freeze(mark: Callable[[], None]) -> None:
        mark()
        backend.signal(service, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            backend.signal(service, signal.SIGCONT)

    return _watched(service, freeze, "SIGSTOP", "continues")


def _signalled(service: str, number: signal.Signals, mark: Callable[[], None]) -> None:
    before = backend.pid_of(service)
    mark()
    backend.signal(service, number)
    eventually(lambda: backend.pid_of(service) not in (None, before), what=f"{service} to be started again")


def _watched(service: str, act: Callable[[Callable[[], None]], None], word: str, after: str) -> Seen:
    """Record around `act`, which calls its argument at the moment to be marked with `word`."""
    url = f"{address('gateway')}/api/{WEB[service]}/health"
    looks: dict[str, Callable[[], Any]] = {
        "Consul says": lambda: registry.state_of(service),
        "the gateway answers": _asks(url, timeout=1),
    }
    with watching(looks) as seen:
        time.sleep(BEFORE_SECONDS)
        act(lambda: seen.mark(word))
        seen.mark(after)
        back(service)
        time.sleep(BEFORE_SECONDS)
    return seen


def _asks(url: str, timeout: float = 5) -> Callable[[], str]:
    return lambda: ask(url, timeout=timeout)


@dataclass(frozen=True)
class Writing:
    """What was recorded during the writes; each answer is a status and its milliseconds."""

    seen: Seen
    usual: list[Answer]
    away: list[Answer]

    def statuses(self) -> list[int]:
        """Return the different statuses of the posts that were written during the outage."""
        return sorted({status for status, _ in self.away})

    def slower(self) -> float:
        """Return how many times longer than usual an answer took during the outage, by medians."""
        return middle(self.away) / middle(self.usual)

    def words(self) -> str:
        """Return statuses and times, before and during the outage, as a table."""
        return (
            f"{len(self.away)} answers, {', '.join(map(str, self.statuses()))}; median"
            f" {middle(self.away):.0f} ms, before the outage {middle(self.usual):.0f} ms"
        )


def middle(answers: Sequence[Answer]) -> float:
    """The median of the milliseconds."""
    return median(ms for _, ms in answers)


def writing_without(unit: str, person: Person, posts: int = 30, seconds: float = 3) -> Writing:
    """Write posts before and during an outage of a unit; return outbox, lag and the person's feed over time.

    The feed is what a reader gets through the gateway: its number of entries, None for an error.
    """
    looks: dict[str, Callable[[], Any]] = {
        "outbox": events.waiting, "lag": events.lag, "in the feed": lambda: feed.length(person)
    }  # fmt: skip
    usual: list[Answer] = []
    away: list[Answer] = []
    with watching(looks, 0.1) as seen:
        _write(person, "Before", USUAL_POSTS, usual)
        events.settled()
        seen.mark(f"{unit} stops")
        backend.stop_unit(unit)
        try:
            _write(person, "No", posts, away, every=seconds / posts)
            seen.mark(f"{unit} starts")
        finally:
            backend.start_unit(unit)
        events.settled(within=STARTS_SECONDS)
        seen.mark("all is in the feed")
        back(unit)
    return Writing(seen, usual, away)


def _write(person: Person, title: str, posts: int, answers: list[Answer], every: float = 0.02) -> None:
    for number in range(posts):
        began = time.perf_counter()
        post = {"title": f"{title} {number}", "content": "From a notebook."}
        status = person.http.post("/api/posts", json=post).status_code
        answers.append((status, milliseconds(began)))
        time.sleep(every)
