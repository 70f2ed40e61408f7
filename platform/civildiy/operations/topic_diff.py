"""Compares the topic with the posts: each change must have one event, in order, with one id.

An event may be on the topic several times (at-least-once delivery), so the first record of each version
counts. Records before the last rebuild are read, because they may come again, but not judged: the rebuild
took the view from the posts, so nothing depends on those records any more.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

import orjson

from civildiy.contracts.posts.topic_reader import Topic
from civildiy.operations.truth import Expected, Truth
from civildiy.operations.view_diff import Finding

COMPARED = 50_000
"""This many records at the end of the topic are read."""
PLACE = "the topic"
REMOVALS = ("post.deleted", "post.expired")


@dataclass(frozen=True)
class Said:
    """The first record of one version of a post."""

    offset: int
    id: str
    kind: str
    partition: int = 0


Versions = Mapping[int, Said]
"""The versions of one post, in the order of their records."""


class Published:
    """The topic's records about each post. Each comparison reads the new ones."""

    def __init__(self) -> None:
        self.records = 0
        self.since: dict[int, int] = defaultdict(int)
        """Records from this offset on are judged, by partition."""
        self._whole: dict[int, datetime | None] = {}
        self.whole_after: datetime | None = None
        """Changes after this time must be on the topic; None means all changes."""
        self.posts: dict[str, dict[int, Said]] = defaultdict(dict)
        self.doubles: dict[tuple[str, int], Said] = {}
        """A record that repeats a version with another id, by post and version."""
        self._next: dict[int, int] = {}

    def read(self, topic: Topic, end: int, since: int) -> None:
        """Read a partition's records before `end`; judge those from `since` on. Raises KafkaError."""
        partition = topic.partition.partition
        if partition not in self._next:
            self._next[partition] = max(topic.first(), end - COMPARED)
            # An offset beyond the end belongs to a topic that was deleted and created again.
            self.since[partition] = max(self._next[partition], since if since <= end else 0)
            self._whole[partition] = None if self.since[partition] == 0 else datetime.now(UTC)
        topic.seek(max(topic.first(), self._next[partition]))
        begins_at, judged = topic.position, self.since[partition]
        for record in topic.until(end):
            if record.offset < judged or 0 < record.offset == judged == begins_at:
                # A change that is newer than this record was published after it, too.
                self._whole[partition] = datetime.fromtimestamp(record.timestamp / 1000, UTC)
            self.take_in(record.offset, record.value, partition)
        self._next[partition] = max(self._next[partition], end)
        # A post may have been in another partition before the topic got more of them.
        self.whole_after = max((time for time in self._whole.values() if time is not None), default=None)

    def judges(self, said: Said) -> bool:
        """Return whether a record is judged."""
        return said.offset >= self.since[said.partition]

    def take_in(self, offset: int, value: bytes | None, partition: int = 0) -> None:
        """Add one record. A record that is not an event of a post is ignored."""
        self.records += 1
        try:
            event = orjson.loads(value or b"")
            post, version = str(event["data"]["post_id"]), int(event["postversion"])
            said = Said(offset, str(event["id"]), str(event["type"]), partition)
        except (ValueError, KeyError, TypeError):
            return
        if self.posts[post].setdefault(version, said).id != said.id:
            self.doubles[post, version] = said

    def compare(self, true: Truth) -> Iterator[Finding]:
        """Yield all differences between the topic and the posts."""
        for (post, version), said in self.doubles.items():
            if self.judges(said):
                says = f"version {version} stands there again under another id"
                yield Finding("surplus", post, PLACE, says)
        for post, versions in self.posts.items():
            yield from self._in_itself(post, versions)
            if post not in true.posts and true.judges(post):
                yield from self._without_a_post(post, versions)
        for post, expected in true.posts.items():
            if true.judges(post):
                yield from self._beside(post, expected, self.posts.get(post, {}))

    def _in_itself(self, post: str, versions: Versions) -> Iterator[Finding]:
        for before, version in pairwise(versions):
            late, early = versions[version], versions[before]
            # Offsets of two partitions say nothing about the order. A post that has moved to another one is
            # read there first or last, as their numbers are.
            if version < before and late.partition == early.partition and self.judges(early):
                says = f"version {version} came at offset {late.offset}, after version {before}"
                yield Finding("misplaced", post, PLACE, says)
        for before, version in pairwise(sorted(versions)):
            if self.judges(versions[version]) and version > before + 1:
                # One finding for a whole gap: a record may claim any version number.
                last = version - 1
                said = (
                    f"version {last} was" if last == before + 1 else f"versions {before + 1} to {last} were"
                )
                yield Finding("missing", post, PLACE, f"{said} never published")

    def _without_a_post(self, post: str, versions: Versions) -> Iterator[Finding]:
        last = versions[max(versions)]
        if last.kind not in REMOVALS and self.judges(last):
            says = f"its last word is {last.kind} at offset {last.offset}, MongoDB has no such post"
            yield Finding("surplus", post, PLACE, says)

    def _beside(self, post: str, expected: Expected, versions: Versions) -> Iterator[Finding]:
        said = versions.get(expected.version)
        if said is None:
            if self.whole_after is None or expected.time > self.whole_after:
                yield Finding("missing", post, PLACE, f"version {expected.version} was never published")
        elif self.judges(said) and not expected.order.endswith(said.id):
            says = f"version {expected.version} has another id than MongoDB knows"
            yield Finding("stale", post, PLACE, says)
        for version, surplus in versions.items():
            if version > expected.version and self.judges(surplus):
                says = f"version {version} is there, MongoDB has version {expected.version}"
                yield Finding("surplus", post, PLACE, says)
