"""What happened in a storm, as plain records; times are Unix seconds."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

Kind = Literal["create", "update", "delete", "refuse"]
Outcome = Literal["done", "refused", "unknown"]


@dataclass(slots=True)
class Write:
    """One change that was asked for. `post` is '' when a create got no answer; `words` are its title.

    `version` and `time` (as feeds write it) are what the answer says of the post; 0 and '' without.
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
    """One change of something private: words that a person wrote into their own profile."""

    began: float
    ended: float
    user: int
    words: str
    outcome: Outcome


@dataclass(slots=True)
class Look:
    """One read of a profile. `user`: whose token it had, 0 for none; `claimed`: whom a forged header named.

    `words` are the private ones that were shown, '' when none were.
    """

    began: float
    ended: float
    user: int
    claimed: int
    status: int
    words: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a feed as a reader got it. `order` is what feeds are sorted by."""

    post: str
    version: int
    user: int
    words: str
    order: str


@dataclass(slots=True)
class Read:
    """One read. `user` 0 is everybody's stream.

    `floor`: the view had applied the topic up to this offset before the read began. `entries` is
    kept for some reads only; the others were checked and forgotten.
    """

    began: float
    ended: float
    user: int
    status: int
    floor: int
    entries: list[Entry] | None = None


@dataclass(slots=True)
class Spell:
    """One fault of the schedule, as it really happened; `ended` 0 while it is on."""

    fault: str
    unit: str
    began: float
    ended: float
    trouble: str = ""


@dataclass(slots=True)
class Sample:
    """A look at the feed's statistics; `lag` None while it is not known."""

    time: float
    lag: int | None
    offset: int | None


@dataclass(slots=True)
class Event:
    """One record of the topic about a post; `offset` of the record, `order` as in the entry it makes."""

    offset: int
    id: str
    post: str
    version: int
    removal: bool
    user: int
    words: str = ""
    order: str = ""


@dataclass
class History:
    """Everything, in the order in which it was noted. Threads append; lists are safe for that."""

    began: float = 0.0
    ended: float = 0.0
    limit: int = 100
    """Length of the pages that were read."""
    users: list[int] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    secrets: list[Secret] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    spells: list[Spell] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    """Violations that were seen while reading."""
    rebuilt: bool = False
    """The view was made anew meanwhile: posts may then be in it for a moment before their events are."""
    oddities: dict[str, int] = field(default_factory=dict)
    """Answers by what was asked and the status, where it was neither 2xx nor meant to be refused."""

    def as_json(self) -> dict[str, Any]:
        """For a file; entries of reads are left out, they are long and have been judged."""
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
    """A time as feeds write it, so that text order is time order. Raises ValueError."""
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _rows(records: Iterable[Any]) -> list[dict[str, Any]]:
    return [asdict(record) for record in records]
