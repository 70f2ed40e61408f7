"""The relay reads few large events at once, and many small ones."""

from typing import Any, cast

import pytest
from bson import ObjectId

from civildiy.posts.relay import pace
from civildiy.posts.relay.pace import BATCH_BYTES, FIRST_BATCH, PacedOutbox

BATCH = 100


class Backlog:
    """A collection of posts with one event each; `find` returns and removes the first ones."""

    def __init__(self, sizes: list[int]) -> None:
        self._sizes = sizes

    def add(self, sizes: list[int]) -> None:
        self._sizes = self._sizes + sizes

    def find(self, *filter_and_projection: object, limit: int, **options: object) -> list[dict[str, Any]]:
        taken, self._sizes = self._sizes[:limit], self._sizes[limit:]
        return [{"_id": ObjectId(), "outbox": [{"id": "1", "body": b"x" * size}]} for size in taken]


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "sleep", lambda seconds: None)


def batches(sizes: list[int]) -> list[list[int]]:
    """Return the sizes of the events of each batch, until there are none."""
    outbox = PacedOutbox(cast(Any, Backlog(sizes)))
    found = list(iter(lambda: [len(waiting.body) for waiting in outbox.heads(BATCH)], []))
    assert sorted(size for batch in found for size in batch) == sorted(sizes)
    return found


def test_a_backlog_of_the_largest_events_is_read_in_parts() -> None:
    large = 80_500
    assert {len(batch) for batch in batches([large] * 480)} <= {FIRST_BATCH, BATCH_BYTES // large, 2}


def test_small_events_soon_fill_a_batch() -> None:
    assert [len(batch) for batch in batches([500] * 350)] == [10, 20, 40, 80, 100, 100]


def test_after_large_events_batches_grow_again() -> None:
    lengths = [len(batch) for batch in batches([80_500] * 10 + [500] * 200)]
    assert lengths[:4] == [10, 13, 26, 52]


def test_an_event_larger_than_a_batch_is_read_alone() -> None:
    assert [len(batch) for batch in batches([2 * BATCH_BYTES] * 12)] == [FIRST_BATCH, 1, 1]


def test_after_an_empty_batch_the_next_one_is_short() -> None:
    """The relay reads its empty outbox every second, and what comes then may be a backlog of large events."""
    posts = Backlog([500] * 350)
    outbox = PacedOutbox(cast(Any, posts))
    while outbox.heads(BATCH):
        pass
    posts.add([80_500] * 100)
    assert len(outbox.heads(BATCH)) == FIRST_BATCH
