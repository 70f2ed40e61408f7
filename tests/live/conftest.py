"""Redis, for the live tests."""

from collections.abc import Iterator

import pytest
from feed_tools import view_redis
from redis import Redis


@pytest.fixture
def redis() -> Iterator[Redis]:
    with view_redis() as made:
        yield made
