"""Posts as large as the API takes: no unit needs much more memory for them, however many there are."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from feed_tools import forget
from support import ENDPOINTS, Person, eventually, pid_of, stopped, until_healthy

from civildiy.contracts.posts.envelope import POSTS_TOPIC
from lab.deadlines import slow
from lab.probes import local_http

pytestmark = [pytest.mark.fault, pytest.mark.thorough]
LARGEST = "\N{HAMMER}" * 20_000
"""The longest content. Each character has four bytes, in JSON as in memory."""
LIMITS = {"posts-relay": 80}
"""MiB that a unit may use with Compose, where the kernel kills what needs more."""


@contextmanager
def within_limit(*units: str) -> Iterator[None]:
    """Fail when one of the units needs more at any moment than Compose would let it have, or is restarted."""
    pids = {unit: pid_of(unit) for unit in units}
    for pid in pids.values():
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak counts from here
    yield
    assert {unit: pid_of(unit) for unit in units} == pids
    peaks = {unit: _peak(pid) for unit, pid in pids.items()}
    assert {unit: peak for unit, peak in peaks.items() if peak > 0.95 * LIMITS[unit]} == {}


def _peak(pid: int) -> float:
    """Return the largest resident memory of a process in MiB, without what it shares with its files."""
    said = Path(f"/proc/{pid}/status").read_text()
    kib = {
        name: int(value) for name, value in re.findall(r"^(VmHWM|RssFile):\s+(\d+) kB", said, re.MULTILINE)
    }
    return (kib["VmHWM"] - kib["RssFile"]) / 1024


def everything_at_once(work: Callable[[int], object], count: int) -> None:
    """Call `work` in so many threads, and wait for all of them."""
    errors: list[Exception] = []

    def run(number: int) -> None:
        try:
            work(number)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def waiting_events() -> int:
    """Return how many events wait in the outbox."""
    said = local_http.get(f"{ENDPOINTS['posts']}/metrics", timeout=10 * slow()).raise_for_status().text
    found = re.search(r"^outbox_events (\S+)$", said, re.MULTILINE)
    return int(float(found[1])) if found else -1


def test_the_relay_publishes_a_backlog_of_the_largest_posts() -> None:
    people = [Person() for _ in range(8)]
    posts: list[tuple[Person, str]] = []
    with stopped("feed-projector"):
        try:
            with stopped("kafka"):

                def write(number: int) -> None:
                    for _ in range(50):
                        posts.append((people[number], people[number].post(content=LARGEST)["id"]))

                everything_at_once(write, len(people))
                with within_limit("posts-relay"):
                    pass  # it is there, and waits
            with within_limit("posts-relay"):
                eventually(lambda: waiting_events() == 0, within=120, what="an empty outbox")
        finally:
            for person, post in posts:
                assert person.http.delete(f"/api/posts/{post}").status_code == 200
            eventually(lambda: waiting_events() == 0, within=120, what="an empty outbox")
            forget(POSTS_TOPIC)  # or the projector would fill Redis with them
    until_healthy()
    eventually(lambda: Person().post() and True, within=30, what="a post")
