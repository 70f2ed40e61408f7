"""Posts as large as the API takes: no unit needs much more memory for them, however many there are."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from feed_tools import forget
from support import ENDPOINTS, Person, eventually, pid_of, stopped, until_healthy

from civildiy.chassis.pages import PAGE_BYTES
from civildiy.contracts.posts.envelope import POSTS_TOPIC
from lab.deadlines import slow
from lab.probes import local_http

pytestmark = [pytest.mark.fault, pytest.mark.thorough]
LARGEST = "\N{HAMMER}" * 20_000
"""The longest content. Each character has four bytes, in JSON as in memory."""
LIMITS = {"posts-relay": 80, "feed-projector": 80, "posts": 112, "feed": 112, "redis": 96}
"""MiB that a unit may use with Compose, where the kernel kills what needs more."""
MARGIN = 1.15
"""Each limit is at least so many times the peak (docs/memory.md)."""
PAGE, READERS = 100, 8


@contextmanager
def within_limit(*units: str) -> Iterator[None]:
    """Fail when a unit comes too close to the limit that it has with Compose, or is restarted."""
    pids = {unit: pid_of(unit) for unit in units}
    for pid in pids.values():
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak counts from here
    yield
    assert {unit: pid_of(unit) for unit in units} == pids
    peaks = {unit: _peak(pid) for unit, pid in pids.items()}
    assert {unit: peak for unit, peak in peaks.items() if MARGIN * peak > LIMITS[unit]} == {}


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


@pytest.fixture(scope="module")
def author() -> Iterator[Person]:
    """Provide a user with a page of the largest posts, all of them in the feed."""
    person = Person()
    posts = [person.post(content=LARGEST)["id"] for _ in range(PAGE)]
    eventually(lambda: in_feed(person) == PAGE, within=60, what="all posts in the feed")
    yield person
    for post in posts:
        assert person.http.delete(f"/api/posts/{post}").status_code == 200
    eventually(lambda: in_feed(person) == 0, within=60, what="an empty feed")


def in_feed(person: Person) -> int:
    answer = person.http.get("/api/activity-stream/user", params={"limit": 1})
    return int(answer.raise_for_status().json()["total"])


@pytest.mark.parametrize(
    ("unit", "path"),
    [("feed", "/api/activity-stream/user"), ("feed", "/api/activity-stream"), ("posts", "/api/posts")],
)
def test_many_read_pages_of_the_largest_posts(author: Person, unit: str, path: str) -> None:
    """A page ends early instead, and its `next` leads to the others."""

    def read(number: int) -> None:
        seen: list[str] = []
        query: dict[str, str | int] = {"limit": PAGE}
        with httpx.Client(
            base_url=author.http.base_url, headers=author.http.headers, timeout=60 * slow()
        ) as http:
            while len(seen) < PAGE:
                answer = http.get(path, params=query)
                if answer.status_code == 503 and "is busy with earlier pages" in answer.text:
                    continue
                page = answer.raise_for_status().json()
                assert len(answer.content) < 2 * PAGE_BYTES
                seen += [item.get("post_id", item.get("id")) for item in page["items"]]
                query["before"] = page["next"]
        assert len(set(seen)) == len(seen)

    with within_limit(unit, "redis"):
        everything_at_once(read, READERS)
