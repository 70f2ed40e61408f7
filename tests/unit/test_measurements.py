"""Metrics that are measured when they are collected: one that cannot be measured is missing, not old."""

import asyncio
from collections.abc import Iterable
from time import monotonic

from prometheus_client.core import Metric

from civildiy.chassis.observability.measurements import MEASURE_SECONDS, gauge, labelled, metrics_answer


async def depth() -> Iterable[Metric]:
    return (gauge("test_depth", "A depth", 7), labelled("test_ends", "Ends", "how", {"well": 2}, counts=True))


async def fails() -> Iterable[Metric]:
    raise ZeroDivisionError


async def hangs() -> Iterable[Metric]:
    await asyncio.sleep(60)
    return (gauge("test_hanging", "Never", 1),)


def text(*measures: object) -> str:
    return bytes(asyncio.run(metrics_answer(measures)).body).decode()  # type: ignore[arg-type]


def test_what_is_measured_stands_beside_the_counters_of_the_process() -> None:
    found = text(depth)
    assert "test_depth 7.0" in found
    assert 'test_ends_total{how="well"} 2.0' in found
    assert "python_info{" in found


def test_what_fails_or_hangs_is_left_out_and_the_rest_stays() -> None:
    began = monotonic()
    found = text(fails, hangs, depth)
    assert "test_depth 7.0" in found
    assert "test_hanging" not in found
    assert monotonic() - began < 2 * MEASURE_SECONDS


def test_a_value_is_not_kept_from_the_last_collection() -> None:
    assert "test_depth" in text(depth)
    assert "test_depth" not in text(fails)
