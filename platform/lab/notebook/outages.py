"""Parts of the system taken away on purpose, with somebody watching meanwhile."""

import signal
import time
from collections.abc import Callable
from typing import Any

from lab.notebook import events, registry
from lab.notebook.people import Person
from lab.notebook.stack import address, ask, backend, client
from lab.notebook.system import back, kill, stopped, unit
from lab.notebook.watching import Seen, watching

BEFORE_SECONDS = 0.5
"""How long a watch looks at the healthy system first."""
WEB = {"auth": "auth", "profile": "profile", "posts": "posts", "feed": "activity-stream"}


def health_while_away(store: str, service: str, seconds: float = 2) -> Seen:
    """What a service's two health endpoints answer while the store it needs is away."""
    base = address(service)
    asked = {path: _asks(f"{base}{path}") for path in ("/health", "/ready")}
    with watching(asked) as seen:
        time.sleep(BEFORE_SECONDS)
        seen.mark(f"{store} stops")
        with stopped(store):
            time.sleep(seconds)
            seen.mark(f"{store} starts")
        seen.mark("all is well")
        time.sleep(BEFORE_SECONDS)
    return seen


def killed(service: str) -> Seen:
    """Consul's view and the gateway's answers around a kill -9."""
    return _watched(service, lambda: kill(service), "kill -9")


def asked_to_stop(service: str) -> Seen:
    """The same around a SIGTERM: the service may say goodbye first."""

    def terminate() -> None:
        before = unit(service).pid
        backend.signal(service, signal.SIGTERM)
        while unit(service).pid in (None, before):
            time.sleep(0.05)

    return _watched(service, terminate, "SIGTERM")


def frozen(service: str, seconds: float = 4) -> Seen:
    """The same while the process stands still: it is there, and answers nothing."""

    def freeze() -> None:
        backend.signal(service, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            backend.signal(service, signal.SIGCONT)

    return _watched(service, freeze, "stands still")


def _watched(service: str, act: Callable[[], None], word: str) -> Seen:
    url = f"{address('gateway')}/api/{WEB[service]}/health"
    looks: dict[str, Callable[[], Any]] = {
        "Consul says": lambda: registry.state_of(service),
        "the gateway answers": _asks(url, timeout=1),
    }
    with watching(looks) as seen:
        time.sleep(BEFORE_SECONDS)
        seen.mark(word)
        act()
        seen.mark("runs again")
        back(service)
        time.sleep(BEFORE_SECONDS)
    return seen


def _asks(url: str, timeout: float = 5) -> Callable[[], str]:
    return lambda: ask(url, timeout=timeout)


def writing_without(
    store: str, person: Person, posts: int = 30, seconds: float = 3
) -> tuple[Seen, list[tuple[int, float]]]:
    """Posts written while a server is away: outbox and lag over time, and each answer with its ms."""
    answers = []
    with watching({"outbox": events.waiting, "lag": events.lag}, 0.1) as seen, client() as http:
        http.headers["Authorization"] = f"Bearer {person.token}"
        time.sleep(BEFORE_SECONDS)
        seen.mark(f"{store} stops")
        with stopped(store):
            for number in range(posts):
                began = time.perf_counter()
                status = http.post("/api/posts", json={"title": f"No {number}", "content": "x"}).status_code
                answers.append((status, (time.perf_counter() - began) * 1000))
                time.sleep(seconds / posts)
            seen.mark(f"{store} starts")
        events.settled()
        seen.mark("all is in the view")
        time.sleep(BEFORE_SECONDS)
    return seen, answers
