"""The history of a storm as plain records; times are Unix seconds."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

Kind = Literal["create", "update", "delete", "refuse"]
Outcome = Literal["done", "refused", "unknown"]


@dataclass(slots=True)
class Write:
    """One requested change. `post` is '' when a create got no answer; `words` are the post's title.

    `version` and `time` (in the format of the feed) come from the answer; 0 and '' without one.
    """

    began: float
    ended: float
    user: int
    kind: Kind
    post: str
    words: str
    outcome: Outcome
    status: int
    version: int = 0
    time: str = ""


@dataclass(slots=True)
class Secret:
    """One change of private data: a text that a user wrote into their own profile."""

    began: float
    ended: float
    user: int
    words: str
    outcome: Outcome


@dataclass(slots=True)
class Look:
    """One read of a profile. `user`: the token's owner, 0 without; `claimed`: the user in a forged header.

    `words` is the private text in the answer, '' when there was none.
    """

    began: float
    ended: float
    user: int
    claimed: int
    status: int
    words: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a feed, as a reader got it. `order` is the key by which feeds are sorted."""

    post: str
    version: int
    user: int
    words: str
    order: str


@dataclass(slots=True)
class Read:
    """One read of a feed; `user` 0 means the global feed.

    `floor`: before the read began, the view had applied each partition of the topic up to this offset.
    `entries` is kept only for some reads; the others were checked at once.
    """

    began: float
    ended: float
    user: int
    status: int
    floor: tuple[int, ...]
    entries: list[Entry] | None = None


@dataclass(slots=True)
class Spell:
    """One fault of the schedule, as it really happened; `ended` is 0 while it is active."""

    fault: str
    unit: str
    began: float
    ended: float
    trouble: str = ""


@dataclass(slots=True)
class Sample:
    """One sample of the feed's statistics; `lag` is None while it is unknown."""

    time: float
    lag: int | None
    offsets: tuple[int, ...] | None
    """The view's next offset in each partition."""


@dataclass(slots=True)
class Event:
    """One record of the topic about a post: the record's `offset`; `order` as in the feed's entry."""

    offset: int
    id: str
    post: str
    version: int
    removal: bool
    user: int
    words: str = ""
    order: str = ""
    partition: int = 0


@dataclass
class History:
    """All records, in the order in which they were made. Threads append; that is safe with lists."""

    began: float = 0.0
    ended: float = 0.0
    limit: int = 100
    """The length of the pages that were read."""
    users: list[int] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    secrets: list[Secret] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    spells: list[Spell] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    """Violations that were found while reading."""
    rebuilt: bool = False
    """Whether the view was rebuilt: for a moment, posts may then be in it before their events."""
    oddities: dict[str, int] = field(default_factory=dict)
    """Unexpected answers, counted by request and status."""

    def as_json(self) -> dict[str, Any]:
        """Return the history for a file, without the entries of reads: they are long and were judged."""
        return {
            "began": self.began,
            "ended": self.ended,
            "users": self.users,
            "writes": _rows(self.writes),
            "reads": [[r.began, r.ended, r.user, r.status, r.floor] for r in self.reads],
            "secrets": _rows(self.secrets),
            "looks": _rows(self.looks),
            "spells": _rows(self.spells),
            "samples": _rows(self.samples),
            "events": _rows(self.events),
            "oddities": self.oddities,
        }


def moment(text: str) -> str:
    """Return a time in the format of the feed, in which text order is time order. Raises ValueError."""
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _rows(records: Iterable[Any]) -> list[dict[str, Any]]:
    return [asdict(record) for record in records]
