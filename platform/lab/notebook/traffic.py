"""Let users write and read while something else happens, and record their answers."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import httpx

from civildiy.feed import keys
from lab.notebook import feed
from lab.notebook.people import Person

EVERY_SECONDS = 0.03
"""The pause after each request of a writer and of a reader."""


class Traffic:
    """What the users wrote, the answers they got, and what they read."""

    def __init__(self, people: tuple[Person, ...]) -> None:
        self.people = people
        self.written: dict[str, list[str]] = {person.name: [] for person in people}
        self.writes: Counter[str] = Counter()
        self.reads: Counter[str] = Counter()
        self.shrunk = 0
        """Reads that showed fewer entries than an earlier read of the same person."""

    def write(self, person: Person) -> None:
        """Write one post; its title counts the user's posts."""
        titles = self.written[person.name]
        post = {"title": f"Meanwhile {len(titles)}", "content": "From a notebook."}
        try:
            status = person.http.post("/api/posts", json=post).status_code
        except httpx.TransportError:
            self.writes["no answer"] += 1
            return
        self.writes[str(status)] += 1
        if status == 201:
            titles.append(post["title"])

    def reader(self, person: Person) -> Callable[[], None]:
        """Return a function that reads the user's stream and compares it with the call before."""
        longest = 0

        def read() -> None:
            nonlocal longest
            try:
                answer = person.http.get("/api/activity-stream/user", params={"limit": 1})
            except httpx.TransportError:
                self.reads["no answer"] += 1
                return
            self.reads[str(answer.status_code)] += 1
            if answer.status_code == 200:
                total = int(answer.json()["total"])
                self.shrunk += total < longest
                longest = max(longest, total)

        return read

    def words(self) -> str:
        """Return how many requests there were, by the status of their answers."""
        return f"writes {dict(self.writes)}, reads {dict(self.reads)}"

    def kept(self) -> bool:
        """Tell whether each user's list holds their posts, newest first, up to its length."""
        return all(
            feed.titles(person)[: len(self.written[person.name])]
            == self.written[person.name][::-1][: keys.USER_MAX]
            for person in self.people
        )


@contextmanager
def traffic(*people: Person, every: float = EVERY_SECONDS) -> Iterator[Traffic]:
    """Let each user write posts and read the own stream repeatedly until the block ends."""
    found = Traffic(people)
    ended = threading.Event()

    def go_on(step: Callable[[], None]) -> None:
        while not ended.is_set():
            step()
            ended.wait(every)

    steps: list[Callable[[], None]] = []
    for person in people:
        steps += [partial(found.write, person), found.reader(person)]
    threads = [threading.Thread(target=go_on, args=(step,), daemon=True) for step in steps]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        ended.set()
        for thread in threads:
            thread.join(15)
