"""Try again until it works: the one policy for a server that is down.

A unit may start before the servers that it needs, and a server may restart at any time. Our units therefore
try again for ever, with a short pause that stays the same. They log the first failure of each kind and the
recovery, so a server that is down for an hour causes two lines and not 10,000.

docs/decisions/0030-one-retry-policy.md says why there is no backoff and no library for this.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from threading import Event
from typing import TypeVar

Result = TypeVar("Result")
Errors = tuple[type[Exception], ...]


class FailureLog:
    """Logs a failure when it begins, and its end; not each attempt in between.

    `expected` are the errors of a server that is down. Any other error is a mistake in our own code, so its
    traceback is logged too.
    """

    def __init__(self, log: logging.Logger, expected: Errors, level: int = logging.WARNING) -> None:
        self._log = log
        self._expected = expected
        self._level = level
        self._kind = ""

    def failed(self, what: str, error: Exception) -> None:
        """Log what could not be done, unless the last attempt failed in the same way."""
        kind = f"{what} {type(error).__name__}"
        if kind != self._kind:
            mistake = not isinstance(error, self._expected)
            message = "%s, trying again until it works: %s: %s"
            self._log.log(self._level, message, what, type(error).__name__, error, exc_info=mistake)
        self._kind = kind

    def succeeded(self) -> None:
        """Log that the last failure is over, if there was one."""
        if self._kind:
            self._log.info("working again")
        self._kind = ""


async def until_done(
    attempt: Callable[[], Awaitable[Result]], failures: FailureLog, what: str, pause_seconds: float
) -> Result:
    """Call `attempt` until it succeeds, and return its result. Every error is tried again.

    For the background of a service: whatever goes wrong there, the service itself goes on.
    """
    while True:
        try:
            result = await attempt()
        except Exception as error:
            failures.failed(what, error)
            await asyncio.sleep(pause_seconds)
        else:
            failures.succeeded()
            return result


def until_stopped(
    attempt: Callable[[], Result],
    failures: FailureLog,
    what: str,
    pause_seconds: float,
    again: Errors,
    stopped: Event,
) -> Result | None:
    """Call `attempt` until it succeeds, and return its result; None when `stopped` is set first.

    For workers, which block. Only the errors `again` are tried again; any other one is raised.
    """
    while not stopped.is_set():
        try:
            result = attempt()
        except again as error:
            failures.failed(what, error)
            stopped.wait(pause_seconds)
        else:
            failures.succeeded()
            return result
    return None
