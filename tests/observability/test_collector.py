"""A collector that is stopped, paused or full harms nobody: requests, ends of processes, memory."""

import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from support import Person, backend, client, paused, stopped, until_healthy

from lab import topology

END_SECONDS = 0.9


def read_seconds(count: int = 200) -> list[float]:
    """Return how long each of some reads of the feed took."""
    took = []
    with client() as http:
        http.get("/api/activity-stream")
        for _ in range(count):
            began = time.perf_counter()
            assert http.get("/api/activity-stream").status_code == 200
            took.append(time.perf_counter() - began)
    return took


def compare(before: list[float], during: list[float]) -> None:
    """Fail if reads became slower. The bounds allow for the noise of a shared machine."""
    assert statistics.median(during) < 2 * statistics.median(before) + 0.005
    assert sorted(during)[-3] < 1  # the exporter waits one second, and no request waits with it


@pytest.mark.fault
def test_reads_are_as_fast_while_the_collector_is_stopped() -> None:
    before = read_seconds()
    with stopped("traces"):
        compare(before, read_seconds())
        Person().post()


@pytest.mark.fault
def test_reads_are_as_fast_while_the_collector_is_paused() -> None:
    before = read_seconds()
    with paused("traces"):
        compare(before, read_seconds())
        Person().post()


@pytest.mark.fault
@pytest.mark.parametrize("harm", [stopped, paused], ids=["stopped", "paused"])
@pytest.mark.parametrize("unit", topology.OURS)
def test_a_unit_ends_as_fast_without_a_collector(
    unit: str, harm: Callable[[str], AbstractContextManager[None]]
) -> None:
    def restart() -> float:
        began = time.monotonic()
        backend.stop_unit(unit)
        took = time.monotonic() - began
        backend.start_unit(unit)
        until_healthy()
        return took

    Person().post()
    with_collector = restart()

    def without_collector() -> float:
        Person().post()  # a span of each unit waits for the collector
        read_seconds(20)
        return restart()

    with harm("traces"):
        # The faster one of two: a busy machine makes one slower, an exporter that blocks makes both slower.
        assert min(without_collector(), without_collector()) < with_collector + END_SECONDS


@pytest.mark.fault
def test_memory_stays_bounded_while_nothing_is_collected() -> None:
    def memory() -> int:
        return next(unit.memory for unit in backend.units() if unit.name == "feed")

    def read(count: int) -> None:
        # A busy machine refuses some reads. This test is about memory, and a refused read has a span as well.
        with client() as http:
            answers = [http.get("/api/activity-stream").status_code for _ in range(count)]
        assert answers.count(200) > 0.9 * count

    read(1000)
    with stopped("traces"):
        read(2000)  # from here on the queue is full
        before = memory()
        read(4000)
        assert memory() - before < 10_000_000
