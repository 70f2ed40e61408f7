"""A tool waits for a view that is behind as long as it gets nearer, however long that takes."""

import logging
import time
from typing import Any, cast

import pytest
from kafka import KafkaAdminClient
from redis import Redis

from civildiy.contracts.posts.topic_reader import Topic
from civildiy.feed import keys
from civildiy.operations import caught_up
from civildiy.operations.caught_up import CaughtUp, NotCaughtUp
from civildiy.operations.grow import NEARLY, Grow, GrowFailed
from civildiy.posts.relay.growth import Growth

PATIENCE = 0.4


class Partition:
    """A partition that ends somewhere, and in which more events may come each time somebody looks."""

    def __init__(self, end: int, first: int = 0, growing: int = 0) -> None:
        self._first, self._end, self._growing = first, end, growing

    def __enter__(self) -> "Partition":
        return self

    def __exit__(self, *_: object) -> None: ...

    def first(self) -> int:
        return self._first

    def end(self) -> int:
        self._end += self._growing
        return self._end


class View:
    """A view that applies some events each time somebody looks."""

    def __init__(self, *noted: int | None, speed: int = 0) -> None:
        self._noted = {keys.offset_of(number): offset for number, offset in enumerate(noted)}
        self._speed = speed

    def get(self, key: str) -> bytes | None:
        if (offset := self._noted.get(key)) is None:
            return None
        self._noted[key] = offset + self._speed
        return b"%d" % offset


def waiting(view: View, *topics: Partition) -> CaughtUp:
    return CaughtUp(cast(Redis, view), cast(list[Topic], topics), PATIENCE)


@pytest.mark.parametrize(
    ("noted", "topic", "behind"),
    [
        (7, Partition(10), 3),
        (None, Partition(10), 10),
        (None, Partition(10, first=4), 6),
        (2, Partition(10, first=4), 6),
        (10, Partition(10), 0),
        (757, Partition(3), 3),
        (757, Partition(0), 0),
    ],
)
def test_what_is_not_applied_is_counted(noted: int | None, topic: Partition, behind: int) -> None:
    assert waiting(View(noted), topic).behind() == behind
    assert waiting(View(4, noted), Partition(5), topic).behind() == behind + 1


def test_a_view_that_gets_nearer_has_more_time_than_the_patience(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, caught_up.__name__)
    began, called = time.monotonic(), list[int]()
    waiting(View(0, speed=1), Partition(60)).wait(0, lambda: called.append(1))
    assert time.monotonic() - began > caught_up.TELL_SECONDS > PATIENCE
    assert len(called) > 40
    assert "the view still has to apply" in caplog.text


@pytest.mark.parametrize("growing", [0, 2])
def test_a_view_that_stands_still_or_falls_behind_ends_the_wait(growing: int) -> None:
    began = time.monotonic()
    with pytest.raises(NotCaughtUp) as found:
        waiting(View(0, speed=growing // 2), Partition(5, growing=growing)).wait(0)
    assert PATIENCE <= time.monotonic() - began < PATIENCE + 1
    assert found.value.behind >= 5


def test_some_events_may_be_left() -> None:
    waiting(View(1), Partition(3)).wait(2)
    with pytest.raises(NotCaughtUp):
        waiting(View(1), Partition(3)).wait(1)


class NoGrowth(Growth):
    """Fails the test when the relays are stopped."""

    def __init__(self) -> None: ...

    def shards(self) -> int:
        return 1

    def keep(self) -> bool:
        raise AssertionError("the relays must not be stopped")


def test_no_relay_is_stopped_while_the_view_is_far_behind() -> None:
    def read(number: int) -> Any:
        return Partition(NEARLY + 1)

    view = cast(Redis, View(0))
    grow = Grow(NoGrowth(), cast(KafkaAdminClient, None), view, lambda: 1, read, PATIENCE)
    with pytest.raises(GrowFailed, match=r"The feed is 501 events behind.*The relays were not stopped"):
        grow.run(6)
