"""The verdict after a storm: compare the final feeds and the topic with the answers to all changes."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from civildiy.feed.keys import GLOBAL_MAX, USER_MAX
from lab.storm.history import Entry, Event, History, Write

Violations = list[str]
State = tuple[int, str] | None

SAME_MOMENT = 0.002
"""Seconds. The system's times are whole milliseconds: within one millisecond any order is right."""


@dataclass
class Expected:
    """What the answers alone tell about one post.

    `states` holds each (version, title) that the view may show; None means that it may be absent. Version
    0 means unknown, because the change got no answer. `began` and `ended`: when the last change was
    requested and answered. `time`: the post's time in the last certain answer.
    """

    user: int
    states: list[State]
    began: float
    ended: float
    time: str
    acknowledged: dict[int, str] = field(default_factory=dict)
    """The title of each acknowledged version."""


def expected(writes: Iterable[Write]) -> dict[str, Expected]:
    """Return the possible states of each acknowledged post. Its author sent one change after the other."""
    found: dict[str, Expected] = {}
    for write in writes:
        if write.kind == "refuse" or not write.post or write.outcome == "refused":
            continue
        after = None if write.kind == "delete" else (write.version, write.words)
        post = found.setdefault(write.post, Expected(write.user, [], write.began, write.ended, ""))
        post.began, post.ended = write.began, write.ended
        if write.outcome == "unknown":
            post.states.append(after)
            continue
        post.states = [after]
        if after:
            post.time = write.time
            post.acknowledged[write.version] = write.words
    return found


class Answers:
    """What the answers to all changes tell, prepared for several questions."""

    def __init__(self, writes: Iterable[Write]) -> None:
        writes = list(writes)
        self.posts = expected(writes)
        changes = [w for w in writes if w.kind != "refuse"]
        self.maybe = {w.words for w in changes if w.outcome == "unknown" and w.words}
        """Titles of changes without an answer: they may exist or not."""
        self.refused = {w.words for w in writes if w.words and (w.kind == "refuse" or w.outcome == "refused")}
        """Titles that may exist nowhere: they were refused, or had to be."""
        self.deletions = [w.user for w in writes if w.kind == "delete" and w.outcome != "refused"]

    def sure(self, post: str) -> bool:
        """Return whether the post can be in only one state."""
        return post in self.posts and len(self.posts[post].states) == 1


def judge_view(history: History, streams: Mapping[int, list[Entry]]) -> Violations:
    """Compare the final feeds (by user; 0: the global feed) with what was answered."""
    answers = Answers(history.writes)
    return [v for user, stream in streams.items() for v in _judge_stream(user, stream, history, answers)]


def _judge_stream(user: int, stream: list[Entry], history: History, answers: Answers) -> Iterator[str]:
    where = f"the feed of user {user}" if user else "the global feed"
    shown: dict[str, Entry] = {entry.post: entry for entry in stream}
    if len(shown) < len(stream):
        yield f"doubled: {where} shows {len(stream) - len(shown)} posts more than once"
    if any(a.order < b.order for a, b in pairwise(stream)):
        yield f"order: {where} is not sorted newest first"
    yield from _judge_order(stream, answers, where)
    # A list that was full may have dropped its oldest entries; a removal does not bring them back.
    removed = sum(1 for author in answers.deletions if user in (0, author))
    dropped = len(stream) + removed >= (USER_MAX if user else GLOBAL_MAX)
    end = stream[-1].order if stream and dropped else ""
    for post, expected in answers.posts.items():
        if user in (0, expected.user):
            yield from _judge_post(post, expected, shown.get(post), where, after=end)
    of_words: dict[str, str] = {}
    for entry in stream:
        yield from _judge_entry(entry, user, history, answers, where)
        if entry.words in answers.maybe and of_words.setdefault(entry.words, entry.post) != entry.post:
            yield f"doubled: {where} shows {entry.words!r} in two posts, but it was written once"


def _judge_entry(entry: Entry, user: int, history: History, answers: Answers, where: str) -> Iterator[str]:
    known = answers.posts.get(entry.post)
    owner = known.user if known else entry.user
    if user and owner != user:
        yield f"foreign: {where} shows {entry.post} of user {owner}"
    if entry.user != owner:
        yield f"foreign: {where} shows {entry.post} of user {owner} as a post of user {entry.user}"
    if entry.words in answers.refused:
        yield f"refused: {where} shows {entry.post} {entry.words!r}, which was refused"
    elif known is None and entry.user in history.users and entry.words not in answers.maybe:
        yield f"surplus: {where} shows {entry.post} {entry.words!r}, which no user wrote"


def _judge_order(stream: list[Entry], answers: Answers, where: str) -> Iterator[str]:
    """Check that a change comes before another one that was requested after its answer."""
    latest: Expected | None = None  # of all entries further down, the one that was requested last
    latest_words = ""
    for entry in reversed(stream):
        if not answers.sure(entry.post):
            continue
        post = answers.posts[entry.post]
        if latest and post.ended + SAME_MOMENT < latest.began:
            yield f"order: {where} has {entry.words!r} before {latest_words!r}, which was written later"
            return
        if latest is None or post.began > latest.began:
            latest, latest_words = post, entry.words


def _judge_post(post: str, wanted: Expected, entry: Entry | None, where: str, *, after: str) -> Iterator[str]:
    """Judge one post. `after`: where the list ends if older entries may have been dropped, else ''."""
    if entry is None:
        if None not in wanted.states and wanted.time > after[: len(wanted.time)]:
            yield f"missing: {where} lacks {post} {wanted.states[-1]}"
        return
    for state in wanted.states:
        if state is not None and entry.words == state[1] and state[0] in (0, entry.version):
            if state[0] and not entry.order.startswith(wanted.time):
                yield f"order: {where} shows {post} at {entry.order[:27]}; its change was at {wanted.time}"
            return
    if wanted.states == [None]:
        yield f"surplus: {where} shows {post} {entry.words!r}, which was deleted"
    else:
        yield f"stale: {where} shows {post} as {entry.version} {entry.words!r}, not {wanted.states}"


def judge_topic(history: History) -> Violations:
    """Check that every acknowledged change has its event; versions are in order, each with one id."""
    return [*_judge_events(history)]


def _judge_events(history: History) -> Iterator[str]:
    answers = Answers(history.writes)
    first: dict[str, dict[int, Event]] = defaultdict(dict)
    for event in history.events:
        known = first[event.post].setdefault(event.version, event)
        if known.id != event.id:
            yield f"topic: version {event.version} of {event.post} has two ids"
        if event.words in answers.refused:
            yield f"topic: {event.post} {event.words!r} was refused but has an event"
        elif event.post not in answers.posts and not event.removal and event.words not in answers.maybe:
            yield f"topic: no user wrote {event.post} {event.words!r}"
    for post, expected in answers.posts.items():
        events = first.get(post, {})
        versions = list(events)
        if versions != list(range(1, len(versions) + 1)):
            yield f"topic: the versions of {post} come in the order {versions}"
        for version, words in expected.acknowledged.items():
            if version not in events:
                yield f"topic: version {version} of {post} was acknowledged but has no event"
            elif events[version].words != words:
                yield f"topic: version {version} of {post} has {events[version].words!r}, not {words!r}"
        if expected.states == [None] and not any(event.removal for event in events.values()):
            yield f"topic: the deletion of {post} was acknowledged but has no event"
