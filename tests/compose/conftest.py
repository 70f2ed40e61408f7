import os
from collections.abc import Generator, Iterator

import pytest
from compose import step
from compose.stack import Stack, stack
from support import home

from lab.errors import LabError

WITHOUT = "LAB_CI_WITHOUT_DOCKER"
MEASURED: list[Stack] = []
ENGINE_SECONDS, TEST_SECONDS, END_SECONDS = 1500.0, 1200.0, 300.0
"""Time limits of each test: before it (for an engine and images, if missing), itself, after it."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    with step.limited(f"what {item.name} needs", ENGINE_SECONDS):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    with step.limited(item.name, TEST_SECONDS):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    # Also after the time limit of all tests: the running system must be removed.
    with step.limited(f"the end of {item.name}", END_SECONDS, whatever=True):
        return (yield)


@pytest.fixture(scope="module")  # the native stack is needed again afterwards
def on_compose() -> Iterator[Stack]:
    """Provide the system under Compose; fail without an engine, unless a user has allowed that."""
    try:
        with stack(home) as found:
            MEASURED.append(found)
            yield found
    except LabError as error:
        if os.environ.get(WITHOUT) == "1":
            pytest.skip(f"NOTHING WAS TRIED ON COMPOSE ({WITHOUT}=1): {error}")
        raise AssertionError(f"Compose cannot be tried ({WITHOUT}=1 leaves it out): {error}") from error


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was measured at the end, because pytest hides earlier output."""
    for found in MEASURED:
        for what, seconds in found.seconds.items():
            terminalreporter.write_line(f"compose: {what}: {seconds:.0f} s")
        for line in found.figures:
            terminalreporter.write_line(f"compose: {line}")
