"""The world in which the tests of the storm's verdict begin."""

import pytest
from storm_world import ANN, BOB, World


@pytest.fixture
def world() -> World:
    """Two people, four posts, of which one was changed and one deleted; each change read by everybody."""
    found = World()
    for user, post, kind in (
        (ANN, "a", "create"), (BOB, "b", "create"), (ANN, "c", "create"), (BOB, "d", "create"),
        (ANN, "a", "update"), (BOB, "b", "delete"),
    ):  # fmt: skip
        found.write(user, post, kind)  # type: ignore[arg-type]
        for reader in (0, ANN, BOB):
            found.read(reader, found.stream(reader))
    return found
