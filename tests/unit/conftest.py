"""The history with which the tests of the storm's verdict begin."""

import pytest
from storm_world import ANN, BOB, World


@pytest.fixture
def world() -> World:
    """Provide two users and four posts, one changed and one deleted; each change was read by both users."""
    found = World()
    for user, post, kind in (
        (ANN, "a", "create"), (BOB, "b", "create"), (ANN, "c", "create"), (BOB, "d", "create"),
        (ANN, "a", "update"), (BOB, "b", "delete"),
    ):  # fmt: skip
        found.write(user, post, kind)  # type: ignore[arg-type]
        for reader in (0, ANN, BOB):
            found.read(reader, found.stream(reader))
    return found
