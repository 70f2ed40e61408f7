import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support import Person, client, until_healthy

LIVE = Path(__file__).parent / "live"


def pytest_configure() -> None:
    """Let the programs that tests start receive Ctrl-C; a shell starts background jobs without it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if LIVE in item.path.parents:
            item.add_marker(pytest.mark.live)
            item.fixturenames.insert(0, "healthy")  # type: ignore[attr-defined]


@pytest.fixture
def healthy() -> None:
    """Wait for a healthy system before each live test, because a fault test may have disturbed it."""
    until_healthy()


@pytest.fixture
def anybody() -> Iterator[httpx.Client]:
    """Provide a client without an account."""
    with client() as http:
        yield http


@pytest.fixture(scope="module")
def ada() -> Person:
    return Person()


@pytest.fixture(scope="module")
def bob() -> Person:
    return Person()
