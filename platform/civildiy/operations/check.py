"""A check of the whole view: compare several times, and explain the differences that stay.

The comparison itself is civildiy.operations.view_diff. Blocking clients: a tool of its own.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from heapq import nsmallest
from itertools import chain
from typing import Any

import orjson
from redis import Redis

from civildiy.contracts.posts.topic_reader import Topic
from civildiy.feed import keys
from civildiy.operations.topic_diff import Published
from civildiy.operations.truth import truth
from civildiy.operations.view_diff import Finding, compare
from civildiy.operations.view_reader import View
from civildiy.posts.snapshot import PostState

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.05
LOOKS = 6
"""The most comparisons of one check; usually one for a correct view, and three for a wrong one."""
EXPLAINED = 50_000
"""This many records at the end of the topic are searched to explain a finding."""
MOST_FINDINGS = 50_000
"""The most differences that are kept in memory. A lost view differs in each post; some of them say enough."""


@dataclass
class Report:
    """The result of a check. `behind` is the number of events that the view has not applied yet."""

    findings: list[Finding] = field(default_factory=list)
    more: bool = False
    """Whether the first comparison found more than MOST_FINDINGS, so that some may be missing here."""
    posts: int = 0
    entries: int = 0
    records: int = 0
    """Number of the topic's records that were compared."""
    behind: int = 0
    not_judged: int = 0
    """Number of posts whose last event is not applied yet."""
    seconds: float = 0.0

    @property
    def consistent(self) -> bool:
        """Whether the view and the topic are right."""
        return not self.findings and not self.more

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"consistent": self.consistent, **asdict(self)}


@dataclass
class _Said:
    """What the end of the topic says."""

    last: dict[str, str]
    removed: Counter[int | None]


class CheckUp:
    """Compares all posts, the topic and the view.

    `posts` reads the posts again at each call; `topics` reads the topic's partitions, in their order.
    """

    def __init__(
        self,
        posts: Callable[[], Iterable[PostState]],
        topics: Sequence[Topic],
        redis: Redis,
        patience: float,
    ) -> None:
        self._posts = posts
        self._topics = topics
        self._redis = redis
        self._patience = patience
        self._published = Published()

    def run(self) -> Report:
        """Compare until the differences stay the same. Raises the errors of MongoDB, Kafka and Redis."""
        began = time.monotonic()
        report = Report()
        removed: Counter[int | None] = Counter()
        found = self._look(report, removed)
        log.info("look 1: %s differences", len(found))
        report.more = len(found) == MOST_FINDINGS
        if found:
            # Only now, and only once: counting the removals of each list means reading the topic.
            removed = self._search(set()).removed
        for number in range(2, LOOKS + 1):
            if not found:
                break
            before = len(found)
            found = self._look(report, removed, found)
            log.info("look %s: %s of them again", number, len(found))
            if number > 2 and len(found) == before:
                break
        report.findings = self._explained(found)
        report.seconds = round(time.monotonic() - began, 3)
        return report

    def _look(
        self, report: Report, removed: Counter[int | None], earlier: set[Finding] | None = None
    ) -> set[Finding]:
        """Compare once. Return the differences, or only those that the look before has found, too."""
        with closing(truth(self._posts())) as true:
            ends = [(topic, topic.end()) for topic in self._topics]
            for topic, published in ends:
                rebuilt = keys.rebuild_offset_of(topic.partition.partition)
                self._published.read(topic, published, int(self._redis.get(rebuilt) or 0))
            report.behind = 0
            for topic, published in ends:
                noted = self._passed(topic, published)
                report.behind += max(published - noted, 0)
                true.leave_out(self._not_applied(topic, noted, published))
            view = View(self._redis)
            differences = chain(compare(true.posts, view, removed), self._published.compare(true))
            judged = (one for one in differences if true.judges(one.post_id))
            if earlier is None:
                found = set(nsmallest(MOST_FINDINGS, judged, _in_order))
            else:
                found = {one for one in judged if one in earlier}
            report.posts, report.entries = len(true.posts), view.entries
            report.records, report.not_judged = self._published.records, true.not_judged
        return found

    def _passed(self, topic: Topic, offset: int) -> int:
        """Wait until the view has passed `offset`, but not longer than the patience; return its offset."""
        deadline = time.monotonic() + self._patience
        key = keys.offset_of(topic.partition.partition)
        while (noted := int(self._redis.get(key) or 0)) < offset:
            if time.monotonic() > deadline:
                self._patience = LOOK_SECONDS  # the view makes no progress: one long wait is enough
                break
            time.sleep(LOOK_SECONDS)
        return noted

    def _not_applied(self, topic: Topic, noted: int, published: int) -> Iterator[str]:
        """Yield the posts with events that the view has not applied yet: their old state is no fault."""
        if noted < published:
            topic.seek(max(noted, topic.first()))
            for record in topic.until(published):
                if post_id := _read(record.value)[0]:
                    yield post_id

    def _search(self, suspects: set[str]) -> _Said:
        said = _Said({}, Counter())
        for topic in self._topics:
            end = topic.end()
            topic.seek(max(topic.first(), end - EXPLAINED))
            for record in topic.until(end):
                post_id, user, kind, version = _read(record.value)
                if kind in ("post.deleted", "post.expired"):
                    said.removed.update((user, None))
                if post_id in suspects:
                    said.last[post_id] = f"{kind}, version {version}, at offset {record.offset}"
        return said

    def _explained(self, findings: set[Finding]) -> list[Finding]:
        """Return the findings in order, each with the last event of its post on the topic."""
        if not findings:
            return []
        said = self._search({finding.post_id for finding in findings})
        none = f"nothing in its last {EXPLAINED} records"
        return [
            Finding(f.kind, f.post_id, f.place, f"{f.says}; the topic: {said.last.get(f.post_id, none)}")
            for f in sorted(findings, key=_in_order)
        ]


def _in_order(finding: Finding) -> tuple[str, str, str]:
    return finding.place, finding.post_id, finding.kind


def _read(raw: bytes | None) -> tuple[str, int | None, str, int | None]:
    """Return post id, user, type and version of an event, without full validation: topics are long."""
    try:
        event = orjson.loads(raw or b"")
        data = event["data"]
        return str(data["post_id"]), int(data["user_id"]), str(event["type"]), int(event["postversion"])
    except (ValueError, KeyError, TypeError):
        return "", None, "", None
