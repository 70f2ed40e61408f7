"""While Kafka is silent or gone the workers wait, with hardly any processor time and no more memory."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import psutil
import pytest
from support import Person, eventually, paused, pid_of, stopped, until_healthy

WORKERS = ("feed-projector", "posts-relay")
SECONDS = 12.0
"""A heartbeat is due every 1.5 s, and the broker may take 30 s to answer a request."""
MOST_PROCESSOR = 0.25
"""Of one core. A consumer whose heartbeat was overdue never waited, and used a whole one."""
MOST_BYTES = 6_000_000
"""Such a consumer also grew by some MB per second."""


@pytest.mark.fault
@pytest.mark.parametrize("silence", [paused, stopped])
def test_workers_wait_for_a_broker(silence: Callable[[str], AbstractContextManager[None]]) -> None:
    person = Person()
    person.post("before")
    eventually(lambda: len(person.feed()) == 1, within=30, what="the first post")
    workers = {unit: psutil.Process(pid_of(unit)) for unit in WORKERS}
    before = {unit: worker.memory_info().rss for unit, worker in workers.items()}
    with silence("kafka"):
        time.sleep(2)  # until a heartbeat is overdue
        used, began = {unit: processor_seconds(worker) for unit, worker in workers.items()}, time.monotonic()
        time.sleep(SECONDS)
        lasted = time.monotonic() - began
        shares = {unit: (processor_seconds(worker) - used[unit]) / lasted for unit, worker in workers.items()}
        grown = {unit: worker.memory_info().rss - before[unit] for unit, worker in workers.items()}
    assert {unit: share for unit, share in shares.items() if share > MOST_PROCESSOR} == {}
    assert {unit: more for unit, more in grown.items() if more > MOST_BYTES} == {}
    until_healthy()
    person.post("after")
    eventually(lambda: len(person.feed()) == 2, within=60, what="the second post")


def processor_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
