"""When a rebuild may switch, and when it must not."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from grading.events import redis, stats
from grading.outcome import NotGradable, require
from grading.people import Person
from grading.plugin import check
from grading.system import ENDPOINTS, eventually, paused
from grading.tools import tool
from redis import Redis

from civildiy.contracts.posts.topic_reader import Topic
from civildiy.feed import keys
from civildiy.operations.rebuild import LOCK_SECONDS
from lab.deadlines import slow
from lab08_cqrs.rebuild import beside_the_view
from lab08_cqrs.stream import filled, own, write

AHEAD_SECONDS = 2.0
TRIES = 10
NOTE_BEFORE_THE_SWITCH = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2])
return 1
"""
"""Set a key only if the live view is still the old one: on a busy machine a rebuild may switch first."""


@contextmanager
def begun() -> Iterator[Future[dict[str, Any]]]:
    """A rebuild that has just begun with an empty view.

    Its new view has a second key, the first offset or a post. Before that, `_forget_another_topic` may
    still delete an offset of the live view that is beyond the end of the topic.
    """
    with beside_the_view() as beside, ThreadPoolExecutor(1) as threads:
        before = beside.get(keys.GENERATION)
        running = threads.submit(tool, "feed-rebuild")
        while not running.done() and (beside.get(keys.GENERATION) in (None, before) or beside.dbsize() < 2):
            time.sleep(0.0005)
        yield running


@contextmanager
def noted_before_the_switch(
    live: Redis, key: str, value: str | int
) -> Iterator[tuple[Future[dict[str, Any]], bytes | str | None]]:
    """A rebuild that has begun, after `key` was set in the live view, and the generation of that view.

    Raises NotGradable if each of TRIES rebuilds has switched before the key could be set.
    """
    for _ in range(TRIES):
        view = live.get(keys.GENERATION)
        with begun() as running:
            if live.eval(NOTE_BEFORE_THE_SWITCH, 2, keys.GENERATION, key, view or "", value):
                yield running, view
                return
    raise NotGradable(
        f"The machine is too busy: {TRIES} rebuilds ended before this check could disturb them."
    )


@check(points=3)
@pytest.mark.disturbs
def test_switch_is_never_behind(ada: Person) -> None:
    """A rebuild does not switch while the live view is ahead of the new one"""
    filled(ada, 2)
    eventually(lambda: stats()["lag_events"] == 0, within=20, what="a lag of 0")
    with Topic(ENDPOINTS["kafka"]) as topic, redis() as live, paused("feed-projector"):
        end = topic.end()
        noted = live.get(keys.OFFSET)
        # As if the projector had applied one event more than the rebuild has read so far.
        with noted_before_the_switch(live, keys.OFFSET, end + 1) as (running, _):
            deadline = time.monotonic() + AHEAD_SECONDS * slow()
            while not running.done() and time.monotonic() < deadline:
                time.sleep(0.05)
            left = live.pttl(keys.REBUILD) / 1000
            gave_up = running.done() and not running.result().get("switched")
            early = running.done() and not gave_up
            if not early:
                write(ada, "the event that was missing")
            answer = running.result()
            if not answer.get("switched"):
                live.set(keys.OFFSET, noted or end)
    require(
        not early,
        "noted in the live view one event more than the topic held, while ./lab rebuild was at work",
        expected="no switch before the new view has applied that event as well",
        saw="it switched",
        means="Readers see posts vanish until the projector has applied them again. `SWITCH` in"
        " rebuild.py has"
        " to compare the offset of the live view with that of the new one, in the same script as SWAPDB,"
        " and `_follow` has to go on until the switch succeeds.",
    )
    require(
        not gave_up,
        "noted in the live view one event more than the topic held, while ./lab rebuild was at work",
        expected="it to follow the topic and to try the switch again",
        saw=answer,
        means="The live view can be ahead for a moment on a busy system. `_follow` in rebuild.py has to go on"
        " until the switch succeeds or `self._patience` seconds have passed.",
    )
    require(
        left > LOCK_SECONDS - AHEAD_SECONDS * slow() / 2,
        f"kept ./lab rebuild waiting for {AHEAD_SECONDS * slow():g} s, and read the expiry of its lock",
        expected=f"about {LOCK_SECONDS} s, because each turn renews it",
        saw=f"{left:.1f} s",
        means="A rebuild that does not renew its lock loses it after some seconds, and a second one begins."
        " `_follow` in rebuild.py has to call `self._keep_lock()` in each turn.",
    )
    require(
        answer.get("switched"),
        "then published that event",
        expected="the switch, as the new view is not behind any more",
        saw=answer,
        means="`_follow` in rebuild.py applies what is published until `_switch` succeeds.",
    )
    what = "the newest post in the rebuilt view"
    eventually(lambda: own(ada)["items"][0]["title"] == "the event that was missing", within=20, what=what)


def _wait_until_it_asks(running: Future[dict[str, Any]]) -> None:
    """Until the rebuild has asked for the lock a few times, or has ended, or has emptied its database."""
    asked, deadline = 0, time.monotonic() + 30 * slow()
    with redis() as watcher, watcher.monitor() as monitor:
        # The projector sets a key about twice a second, so a command comes soon.
        while asked < 3 and not running.done() and time.monotonic() < deadline:
            command = str(monitor.next_command()["command"]).upper()
            if command.startswith("FLUSHDB"):
                return
            asked += command.startswith("SET ") and keys.REBUILD.upper() in command


@check(points=2)
@pytest.mark.disturbs
def test_one_rebuild_at_a_time(ada: Person) -> None:
    """A rebuild waits for another one's lock, and gives up when it loses its own"""
    filled(ada, 1)
    means = (
        "Two rebuilds write into one database, and one of them switches to the other's half-made view."
        " `run` in"
        " rebuild.py begins with `self._lock()`; `_load` and `_follow` keep the lock; and `SWITCH`"
        " compares the"
        " lock's owner in the same script as SWAPDB."
    )
    with redis() as live:
        live.set(keys.REBUILD, "another rebuild", ex=120)
        did = "started ./lab rebuild while another one held the lock"
        try:
            with beside_the_view() as beside, ThreadPoolExecutor(1) as threads:
                beside.set("of another rebuild", "1")
                running = threads.submit(tool, "feed-rebuild")
                _wait_until_it_asks(running)
                touched = running.done() or not beside.exists("of another rebuild")
                live.delete(keys.REBUILD)
                answer = running.result()
        finally:
            live.delete(keys.REBUILD)
        require(
            not touched,
            did,
            expected="it to wait, and to touch nothing meanwhile",
            saw="it emptied the database in which the other one works",
            means=means,
        )
        require(
            answer.get("switched"),
            f"{did}; then removed the lock, as its expiry does",
            expected="its switch",
            saw=answer,
            means="A rebuild that was killed leaves its lock, which expires. The next one waits for that.",
        )
        try:
            with noted_before_the_switch(live, keys.REBUILD, "another rebuild") as (running, view):
                answer = running.result()
            switched = live.get(keys.GENERATION) != view
        finally:
            live.delete(keys.REBUILD)
    require(
        not switched and not answer.get("switched"),
        "gave the lock to another rebuild while ./lab rebuild was at work",
        expected="no switch, and the reason",
        saw="it switched" if switched else answer,
        means=means,
    )
