from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support import ENDPOINTS, Person, client, eventually

from lab import plain
from lab.readiness import waiting_for

LIVE = Path(__file__).parent / "live"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if LIVE in item.path.parents:
            item.add_marker(pytest.mark.live)
            item.fixturenames.insert(0, "healthy")  # type: ignore[attr-defined]


@pytest.fixture
def healthy() -> None:
    """Each live test finds a healthy system; a fault test heals before the next one begins."""
    with plain.client(timeout=3) as http:
        eventually(lambda: not waiting_for(ENDPOINTS, http), within=60, what="a healthy system")


@pytest.fixture
def anybody() -> Iterator[httpx.Client]:
    """A client without an account."""
    with client() as http:
        yield http


@pytest.fixture(scope="module")
def ada() -> Person:
    return Person()


@pytest.fixture(scope="module")
def bob() -> Person:
    return Person()
