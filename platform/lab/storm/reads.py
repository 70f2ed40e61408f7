"""The verdict on each read: was the list one that the view can have had at that moment?

The view is the topic applied up to some offset, so a list must be what some beginning of the topic
gives: at least up to where the view was before the read, and up to the newest event that is shown.
What that beginning has, and the page has room for, must be there.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise

from lab.storm.history import Entry, Event, History, Read
from lab.storm.verdict import Violations

MOST = 20
"""Violations after which no more are looked for."""


def faults_of_a_page(page: list[Entry], user: int) -> Violations:
    """What must never be, whatever the moment: doubles, a wrong order, other people's or refused words."""
    found = []
    posts = [entry.post for entry in page]
    if len(set(posts)) < len(posts):
        doubled = sorted({post for post in posts if posts.count(post) > 1})
        found.append(f"doubled: a read shows {', '.join(doubled)} more than once")
    if any(a.order < b.order for a, b in pairwise(page)):
        found.append("order: a read is not newest first")
    if user and any(entry.user != user for entry in page):
        found.append(f"foreign: the own stream of user {user} shows another's post")
    found += [f"refused: a read shows {e.words!r}" for e in page if e.words.startswith("refused ")]
    return found


def judge_reads(history: History) -> Violations:
    """Each kept read shows what a beginning of the topic gives, and nothing from nowhere."""
    topic = _Topic(history)
    kept = [(read, read.entries) for read in history.reads if read.entries is not None]
    pages = [(topic.least(read, page), read, page) for read, page in kept]
    found: Violations = []
    for least, read, page in sorted(pages, key=lambda one: one[0]):
        topic.go_on_to(least)
        found += _judge_read(read, page, topic, history)
        if len(found) >= MOST:
            break
    return found[:MOST]


class _Topic:
    """The posts as the events before an offset leave them; the offset only grows."""

    def __init__(self, history: History) -> None:
        self._strict = not history.rebuilt
        self._events = history.events
        self._next = 0
        self.offset = 0
        self.first: dict[tuple[str, int], Event] = {}
        """The first event of each version of each post, of the whole topic."""
        for event in history.events:
            self.first.setdefault((event.post, event.version), event)
        self.known = {event.post for event in history.events}
        self.now: dict[str, Event] = {}
        """The newest version of each post, up to the offset."""
        self.live: dict[int, dict[str, Event]] = defaultdict(dict)
        """Of these what is not removed, by author."""
        self.gone: dict[str, float] = {}
        """When the deletion of a post was first asked for: from then on it may be gone."""
        for write in history.writes:
            if write.kind == "delete" and write.outcome != "refused":
                self.gone.setdefault(write.post, write.began)

    def least(self, read: Read, page: list[Entry]) -> int:
        """The view had been past all before this offset: it says so, or shows what the last one did."""
        shown = (self.first.get((entry.post, entry.version)) for entry in page) if self._strict else ()
        return max([read.floor, *(event.offset + 1 for event in shown if event)])

    def go_on_to(self, offset: int) -> None:
        """Apply the events before `offset`, as a projection must."""
        while self._next < len(self._events) and self._events[self._next].offset < offset:
            event = self._events[self._next]
            self._next += 1
            if event.post in self.now and self.now[event.post].version >= event.version:
                continue
            self.now[event.post] = event
            if event.removal:
                self.live[event.user].pop(event.post, None)
            else:
                self.live[event.user][event.post] = event
        self.offset = offset

    def live_in(self, user: int) -> Iterator[Event]:
        """The entries of a stream; user 0 is everybody's."""
        for author in [user] if user else [*self.live]:
            yield from self.live[author].values()


def _judge_read(read: Read, page: list[Entry], topic: _Topic, history: History) -> Violations:
    where = f"the stream of user {read.user}" if read.user else "everybody's stream"
    at = f"a read of {where} at {read.began:.3f} (view at offset {topic.offset} or later)"
    found = [v for entry in page for v in _judge_entry(entry, topic, history.users, at)]
    shown: Mapping[str, Entry] = {entry.post: entry for entry in page}
    # A later event only moves a post to the front, so what was before the page's end then still is.
    end = page[-1].order if len(page) >= history.limit else ""
    for event in topic.live_in(read.user):
        removed = topic.gone.get(event.post, read.ended) < read.ended
        if event.post not in shown and event.order > end and not removed:
            found.append(f"hole: {at} lacks {event.post}")
    return found


def _judge_entry(entry: Entry, topic: _Topic, users: list[int], at: str) -> Iterator[str]:
    if entry.post not in topic.known:
        if entry.user in users:
            yield f"from nowhere: {at} shows {entry.post}, of which the topic knows nothing"
        return
    event = topic.first.get((entry.post, entry.version))
    if event is None:
        yield f"from nowhere: {at} shows version {entry.version} of {entry.post}, which has no event"
    elif event.words != entry.words or event.removal:
        yield f"torn: {at} shows {entry.words!r} as version {entry.version} of {entry.post}"
    elif event.order != entry.order:
        yield f"order: {at} shows {entry.post} with another time or event than version {entry.version} has"
    now = topic.now.get(entry.post)
    if now is None or now.version <= entry.version:
        return
    if now.removal:
        yield f"torn: {at} shows {entry.post}, which the view had removed"
    else:
        yield f"torn: {at} shows version {entry.version} of {entry.post}, older than the view was"
