"""How far the view is behind."""

import time

import pytest
from grading.events import stats
from grading.outcome import require
from grading.people import Person
from grading.plugin import check
from grading.system import backend, eventually

from lab.deadlines import slow
from lab08_cqrs.stream import filled, write


@check(points=3)
@pytest.mark.disturbs
def test_lag(ada: Person) -> None:
    """The lag is right while the projector runs, is stopped, and runs again"""
    filled(ada, 1)
    eventually(lambda: stats()["lag_events"] == 0, within=20, what="a lag of 0 while nothing waits")
    did = "stopped the projector and wrote posts"
    means = (
        "The view cannot know what it has not read. The number of events is the end of the topic minus"
        " the next offset. Look at `_ask` in lag.py."
    )
    backend.stop_unit("feed-projector")
    try:
        began = time.time()
        oldest = 0.0
        for written in (4, 7):
            write(ada, *["waits"] * (4 if written == 4 else 3))
            oldest = oldest or time.time()
            time.sleep(1)  # time passes also while nobody asks, and the oldest is older than the newest
            deadline = time.monotonic() + 10 * slow()
            while (lag := stats())["lag_events"] != written and time.monotonic() < deadline:
                time.sleep(0.1)
            saw = f"{lag['lag_events']} events"
            require(lag["lag_events"] == written, did, expected=f"{written} events", saw=saw, means=means)
        first = stats()["lag_seconds"]
        time.sleep(0.5)
        waited = time.time() - oldest
        second, passed = stats()["lag_seconds"], time.time() - began
        require(
            first is not None and first + 0.3 <= second <= passed + 0.5 and second >= waited - 0.3,
            did,
            expected="the age of the oldest post that waits, and growing",
            saw=f"{first} s, and half a second later {second} s; it was stopped {passed:.1f} s ago",
            means="Five events can be five seconds or five hours behind. The seconds are the age of the"
            " oldest event that waits. Look at `_ask` in lag.py.",
        )
    finally:
        backend.start_unit("feed-projector")
    caught_up = "the lag to be 0 events and 0 s after the projector is back"
    eventually(lambda: (s := stats())["lag_events"] == 0 and s["lag_seconds"] == 0, within=30, what=caught_up)
