"""The verdict: what must hold after a storm, and what must have held at each read."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from civildiy.feed.keys import GLOBAL_MAX
from lab.storm.history import Entry, Event, History, Read, Write

Violations = list[str]


@dataclass
class Expected:
    """What may be known about one post from the answers alone.

    `states` holds (version, words) that the view may show; None among them: it may be absent. Version
    0 stands for one that is not known, since the change got no answer. `changed`: when the last change
    was asked for.
    """

    user: int
    states: list[tuple[int, str] | None]
    changed: float
    acknowledged: list[int] = field(default_factory=list)


def expected(writes: Iterable[Write]) -> dict[str, Expected]:
    """Each post that was acknowledged, and what may have become of it. One author, one after the other."""
    found: dict[str, Expected] = {}
    for write in writes:
        if write.kind == "refuse" or not write.post or write.outcome == "refused":
            continue
        if write.kind == "create":
            state = (write.version, write.words)
            found[write.post] = Expected(write.user, [state], write.began, [write.version])
            continue
        post = found[write.post]
        after = None if write.kind == "delete" else (write.version, write.words)
        post.changed = write.began
        if write.outcome == "unknown":
            post.states.append(after)
        else:
            post.states = [after]
            if write.version:
                post.acknowledged.append(write.version)
    return found


def unknown_words(writes: Iterable[Write]) -> set[str]:
    """Words of changes that got no answer: they may be there or not."""
    return {write.words for write in writes if write.outcome == "unknown" and write.words}


def judge_view(history: History, streams: Mapping[int, list[Entry]]) -> Violations:
    """Compare the final streams (user to entries; 0: everybody's) with what was answered."""
    found: Violations = []
    known = expected(history.writes)
    maybe = unknown_words(history.writes)
    for user, stream in streams.items():
        shown: dict[str, Entry] = {entry.post: entry for entry in stream}
        where = f"the stream of user {user}" if user else "everybody's stream"
        if len(shown) < len(stream):
            found.append(f"doubled: {where} shows {len(stream) - len(shown)} posts more than once")
        if any(a.order < b.order for a, b in pairwise(stream)):
            found.append(f"order: {where} is not newest first")
        for post, wanted in known.items():
            if user not in (0, wanted.user):
                if post in shown:
                    found.append(f"foreign: {where} shows {post} of user {wanted.user}")
                continue
            pushed_out = not user and len(stream) >= GLOBAL_MAX
            found += _judge_post(post, wanted, shown.get(post), where, must_be_there=not pushed_out)
        for entry in stream:
            ours = entry.post in known or entry.user not in history.users
            if not ours and entry.words not in maybe:
                found.append(f"surplus: {where} shows {entry.post} {entry.words!r}, which nobody wrote")
        if user:
            found += _judge_order(stream, known, where)
    return found


def _judge_order(stream: list[Entry], known: Mapping[str, Expected], where: str) -> Violations:
    """One's own stream is in the order of one's own changes, which were made one after the other."""
    sure = [e for e in stream if e.post in known and len(known[e.post].states) == 1]
    for newer, older in pairwise(sure):
        if known[newer.post].changed < known[older.post].changed:
            return [f"order: {where} has {newer.words!r} before {older.words!r}, which was written later"]
    return []


def _judge_post(
    post: str, wanted: Expected, entry: Entry | None, where: str, *, must_be_there: bool
) -> Violations:
    if entry is None:
        if None in wanted.states or not must_be_there:
            return []
        return [f"missing: {where} lacks {post} {wanted.states[-1]}"]
    for state in wanted.states:
        if state is not None and entry.words == state[1] and state[0] in (0, entry.version):
            return []
    if wanted.states == [None]:
        return [f"surplus: {where} shows {post} {entry.words!r}, which was deleted"]
    return [f"stale: {where} shows {post} as {entry.version} {entry.words!r}, not {wanted.states}"]


def judge_topic(history: History) -> Violations:
    """Every acknowledged change has its event; versions come in order, without holes, each with one id."""
    found: Violations = []
    first: dict[str, dict[int, Event]] = defaultdict(dict)
    for event in history.events:
        known = first[event.post].setdefault(event.version, event)
        if known.id != event.id:
            found.append(f"topic: version {event.version} of {event.post} has two ids")
    for post, wanted in expected(history.writes).items():
        versions = list(first.get(post, {}))
        if versions != list(range(1, len(versions) + 1)):
            found.append(f"topic: the versions of {post} come as {versions}")
        found += [
            f"topic: version {version} of {post} was acknowledged and has no event"
            for version in wanted.acknowledged
            if version not in versions
        ]
    return found


def judge_reads(history: History) -> Violations:
    """Each kept read shows at least what the view had applied before it, and nothing from nowhere."""
    of_post: dict[str, list[Event]] = defaultdict(list)
    for event in history.events:
        of_post[event.post].append(event)
    ours = {user: [] for user in history.users}  # type: dict[int, list[str]]
    for post, events in of_post.items():
        if events[0].user in ours:
            ours[events[0].user].append(post)
    timelines = {post: _Timeline(events) for post, events in of_post.items()}
    found: Violations = []
    for read in history.reads:
        if read.entries is not None and len(found) < 20:
            found += _judge_read(read, read.entries, timelines, ours, history.limit)
    return found


class _Timeline:
    """A post's events as steps: from which offset on the view shows which version at least."""

    def __init__(self, events: list[Event]) -> None:
        self.offsets: list[int] = []
        self.versions: list[int] = []
        self.removed_at: int | None = None
        newest = 0
        for event in events:
            if event.version > newest:
                newest = event.version
                self.offsets.append(event.offset)
                self.versions.append(event.version)
                self.removed_at = event.offset if event.removal else None

    def at(self, floor: int) -> int:
        """The version that all events before offset `floor` give; 0 for none."""
        steps = bisect_left(self.offsets, floor)
        return self.versions[steps - 1] if steps else 0


def _judge_read(
    read: Read,
    page: list[Entry],
    timelines: Mapping[str, _Timeline],
    ours: Mapping[int, list[str]],
    limit: int,
) -> Violations:
    found: Violations = []
    at = f"a read at {read.began:.3f} (view at offset {read.floor} or later)"
    shown = {entry.post: entry for entry in page}
    for entry in page:
        timeline = timelines.get(entry.post)
        if timeline is None:
            if entry.user in ours:
                found.append(f"from nowhere: {at} shows {entry.post}, of which the topic knows nothing")
            continue
        if entry.version < timeline.at(read.floor):
            found.append(f"torn: {at} shows version {entry.version} of {entry.post}, older than the view was")
        if timeline.removed_at is not None and timeline.removed_at < read.floor:
            found.append(f"torn: {at} shows {entry.post}, which the view had removed")
    # Holes: in a stream that fits its page, whatever was applied and is not removed must be there.
    for post in ours.get(read.user, ()) if len(page) < limit else ():
        timeline = timelines[post]
        if post not in shown and timeline.removed_at is None and timeline.at(read.floor):
            found.append(f"hole: {at} lacks {post}")
    return found
