"""What a service still answers while its database keeps other requests waiting."""

import threading
import time
from collections.abc import Callable, Sequence

import httpx
from grading.databases import at_once
from grading.outcome import require
from grading.system import ENDPOINTS, http

from lab.deadlines import slow

LATE_SECONDS = 1.0


def answered(unit: str, calls: Sequence[Callable[[], httpx.Response]]) -> tuple[list[int], float]:
    """Statuses of the calls, all sent at once, and the slowest answer of /health meanwhile, in seconds."""
    ended, times = threading.Event(), [0.0]

    def ask() -> None:
        with http() as client:
            while not ended.is_set():
                began = time.monotonic()
                client.get(f"{ENDPOINTS[unit]}/health")
                times.append(time.monotonic() - began)
                ended.wait(0.05)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        statuses = [answer.status_code for answer in at_once(len(calls), lambda n: calls[n]())]
    finally:
        ended.set()
        thread.join()
    return statuses, max(times)


def nobody_else_waited(unit: str, slowest: float, did: str, file: str) -> None:
    """Require that /health was answered promptly."""
    require(
        slowest < LATE_SECONDS * slow(),
        f"{did}; meanwhile asked {unit} for /health again and again",
        expected=f"each answer in less than {LATE_SECONDS * slow():g} s",
        saw=f"{slowest:.1f} s for the slowest one",
        means="Your code blocks the event loop while it waits for the database, so the whole service"
        " stands still"
        f" for all users. Use the asynchronous client and `await` each call in {file}; never `time.sleep`.",
    )
