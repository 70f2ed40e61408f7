"""Only one thread at a time measures the lag, and no request waits long for it."""

import asyncio
import threading
import time
from typing import Any

from civildiy.feed.patience import CLOSED_SECONDS, WAIT_SECONDS, Offsets, PatientMeter
from civildiy.feed.schemas import Lag


class Meter:
    """A meter of a broker that does not answer, or of one that does."""

    def __init__(self, seconds: float, lag: Lag | None) -> None:
        self.seconds, self.lag = seconds, lag
        self.asked: list[Offsets] = []
        self.at_once = self.most = 0
        self._lock = threading.Lock()

    def measure(self, next_offsets: Offsets) -> Lag | None:
        with self._lock:
            self.asked.append(next_offsets)
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        time.sleep(self.seconds)
        with self._lock:
            self.at_once -= 1
        return self.lag

    def close(self) -> None:
        pass


def run(meter: Meter, times: int, offsets: int = 1) -> tuple[list[Any], float]:
    async def ask() -> list[Any]:
        patient = PatientMeter(meter)  # type: ignore[arg-type]
        return await asyncio.gather(*(patient.measure((number % offsets,)) for number in range(times)))

    began = time.monotonic()

    async def timed() -> tuple[list[Any], float]:
        answers = await ask()
        return answers, time.monotonic() - began

    return asyncio.run(timed())


def test_a_silent_broker_costs_one_thread() -> None:
    meter = Meter(2 * WAIT_SECONDS, None)
    answers, seconds = run(meter, 50, offsets=3)
    assert answers == [None] * 50
    assert len(meter.asked) == 1
    assert seconds < WAIT_SECONDS + 0.3 < 1


def test_an_answer_belongs_to_its_offset() -> None:
    lag = Lag(events=1, seconds=0.1)
    meter = Meter(0.01, lag)
    answers, _ = run(meter, 6, offsets=2)
    assert answers == [lag] * 6
    assert set(meter.asked) == {(0,), (1,)}
    assert meter.most == 1


def test_nobody_asks_right_after_a_failure() -> None:
    meter = Meter(0, None)

    async def ask() -> float:
        patient = PatientMeter(meter)  # type: ignore[arg-type]
        await patient.measure((1,))
        began = time.monotonic()
        for _ in range(20):
            assert await patient.measure((1,)) is None
        taken = time.monotonic() - began
        await asyncio.sleep(CLOSED_SECONDS)
        meter.lag = Lag(events=0, seconds=0)
        assert await patient.measure((1,)) == meter.lag
        return taken

    assert asyncio.run(ask()) < 0.1
    assert len(meter.asked) == 2
