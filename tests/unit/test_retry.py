"""A server that is down: tried again until it works, logged once, with a traceback only for our mistakes."""

import asyncio
import logging
from threading import Event

import pytest

from civildiy.chassis.retry import FailureLog, until_done, until_stopped

log = logging.getLogger("a unit")


def failing(*errors: Exception) -> list[Exception]:
    """The errors that an attempt raises, one after the other; then it succeeds."""
    return list(errors)


def attempt(errors: list[Exception]) -> str:
    if errors:
        raise errors.pop(0)
    return "done"


def test_a_failure_is_logged_once_and_its_end_too(caplog: pytest.LogCaptureFixture) -> None:
    errors = failing(OSError("down"), OSError("down"), OSError("still down"))

    async def work() -> str:
        async def tried() -> str:
            return attempt(errors)

        return await until_done(tried, FailureLog(log, (OSError,)), "no table yet", 0)

    with caplog.at_level(logging.INFO):
        assert asyncio.run(work()) == "done"
    assert [record.getMessage() for record in caplog.records] == [
        "no table yet, trying again until it works: OSError: down",
        "working again",
    ]
    assert not caplog.records[0].exc_info


def test_another_kind_of_failure_is_logged_again(caplog: pytest.LogCaptureFixture) -> None:
    failures = FailureLog(log, (OSError,))
    with caplog.at_level(logging.INFO):
        failures.failed("no answer", OSError("a"))
        failures.failed("no answer", TimeoutError("b"))
        failures.failed("no rules", TimeoutError("c"))
    assert len(caplog.records) == 3


def test_our_own_mistake_has_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        FailureLog(log, (OSError,)).failed("no table yet", KeyError("x"))
    assert caplog.records[0].exc_info


def test_nothing_is_logged_when_all_is_well(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        FailureLog(log, (OSError,)).succeeded()
    assert not caplog.records


def test_a_worker_gives_up_only_when_it_is_stopped() -> None:
    stopped, failures = Event(), FailureLog(log, (OSError,))
    errors = failing(OSError(), OSError())
    assert until_stopped(lambda: attempt(errors), failures, "no answer", 0, (OSError,), stopped) == "done"
    stopped.set()
    assert until_stopped(lambda: attempt([]), failures, "no answer", 0, (OSError,), stopped) is None


def test_a_worker_does_not_retry_an_error_of_another_kind() -> None:
    with pytest.raises(KeyError):
        until_stopped(
            lambda: attempt(failing(KeyError())), FailureLog(log, ()), "no answer", 0, (OSError,), Event()
        )
