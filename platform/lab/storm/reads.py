"""The verdict on each read: could the view have shown this page at that moment?

The view is the topic applied up to some offset, so a page must be the result of some beginning of the topic.
That beginning reaches at least to the view's offset before the read, and to the newest event on the page.
Everything in that beginning for which the page has room must be on the page. Each partition of the topic has
a beginning of its own, so the posts of each partition are judged by themselves.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise

from lab.storm.history import Entry, Event, History, Read
from lab.storm.verdict import Violations

MOST = 20
"""The number of violations after which the search ends."""


def faults_of_a_page(page: list[Entry], user: int) -> Violations:
    """Return what is always wrong on a page: doubles, a wrong order, another user's or refused posts."""
    found: Violations = []
    posts = [entry.post for entry in page]
    if len(set(posts)) < len(posts):
        doubled = sorted({post for post in posts if posts.count(post) > 1})
        found.append(f"doubled: a read shows {', '.join(doubled)} more than once")
    if any(a.order < b.order for a, b in pairwise(page)):
        found.append("order: a read is not sorted newest first")
    if user and any(entry.user != user for entry in page):
        found.append(f"foreign: the own feed of user {user} shows another user's post")
    found += [f"refused: a read shows {e.words!r}" for e in page if e.words.startswith("refused ")]
    return found


def judge_reads(history: History) -> Violations:
    """Check that each kept read shows the result of a beginning of the topic, and nothing else."""
    known = {event.post for event in history.events}
    found: Violations = []
    for partition in sorted({event.partition for event in history.events} | {0}):
        topic = _Topic(history, partition)
        kept = [(read, read.entries) for read in history.reads if read.entries is not None]
        pages = [(topic.least(read, page), read, page) for read, page in kept]
        for least, read, page in sorted(pages, key=lambda judged: judged[0]):
            topic.go_on_to(least)
            # A post that is in no partition is from nowhere; the first partition reports it.
            mine = [e for e in page if e.post in topic.known or (not partition and e.post not in known)]
            found += _judge_read(read, page, mine, topic, history)
            if len(found) >= MOST:
                return found[:MOST]
    return found


class _Topic:
    """The posts of one partition as the events before an offset leave them; the offset only grows."""

    def __init__(self, history: History, partition: int) -> None:
        self._strict = not history.rebuilt
        self._partition = partition
        self._events = [event for event in history.events if event.partition == partition]
        self._next = 0
        self.offset = 0
        self.first: dict[tuple[str, int], Event] = {}
        """The first event of each version of each post, for the whole partition."""
        for event in self._events:
            self.first.setdefault((event.post, event.version), event)
        self.known = {event.post for event in self._events}
        self.now: dict[str, Event] = {}
        """The newest version of each post, up to the offset."""
        self.live: dict[int, dict[str, Event]] = defaultdict(dict)
        """The posts of `now` that are not removed, by author."""
        self.gone: dict[str, float] = {}
        """When the deletion of a post was first requested: from then on it may be gone."""
        for write in history.writes:
            if write.kind == "delete" and write.outcome != "refused":
                self.gone.setdefault(write.post, write.began)

    def least(self, read: Read, page: list[Entry]) -> int:
        """Return the offset that the view had reached at least: by its statistics, or by what it shows."""
        shown = (self.first.get((entry.post, entry.version)) for entry in page) if self._strict else ()
        floor = read.floor[self._partition] if self._partition < len(read.floor) else 0
        return max([floor, *(event.offset + 1 for event in shown if event)])

    def go_on_to(self, offset: int) -> None:
        """Apply the events before `offset`, as a projector must."""
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
        """Yield the entries of a feed; user 0 means the global feed."""
        for author in [user] if user else [*self.live]:
            yield from self.live[author].values()


def _judge_read(
    read: Read, page: list[Entry], mine: list[Entry], topic: _Topic, history: History
) -> Violations:
    """Judge the entries `mine` of a page: those that belong to the partition."""
    where = f"the feed of user {read.user}" if read.user else "the global feed"
    at = f"a read of {where} at {read.began:.3f} (view at offset {topic.offset} or later)"
    found = [v for entry in mine for v in _judge_entry(entry, topic, history.users, at)]
    shown: Mapping[str, Entry] = {entry.post: entry for entry in mine}
    # A later event only moves a post to the front, so a post that was on the page then is on it still.
    end = page[-1].order if len(page) >= history.limit else ""
    for event in topic.live_in(read.user):
        removed = topic.gone.get(event.post, read.ended) < read.ended
        if event.post not in shown and event.order > end and not removed:
            found.append(f"hole: {at} lacks {event.post}")
    return found


def _judge_entry(entry: Entry, topic: _Topic, users: list[int], at: str) -> Iterator[str]:
    if entry.post not in topic.known:
        if entry.user in users:
            yield f"from nowhere: {at} shows {entry.post}, which the topic does not contain"
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
