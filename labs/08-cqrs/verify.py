"""Compares the view with the posts, item by item.

The system goes on while it is compared, so one look proves nothing: a post may change between
reading MongoDB and reading Redis. Each look therefore reads the posts, waits until the projector has
passed everything that was published before, and reads the view; and a difference counts only when all
looks show the very same one. Posts whose last event is still on its way are not judged.
"""

import bisect
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Literal

from civildiy.contracts.posts.envelope import PostPut
from civildiy.feed import keys
from civildiy.feed.projector.projection import feed_entry, timestamp
from civildiy.operations.view_reader import Entry, Known
from civildiy.posts.snapshot import PostState

Kind = Literal["missing", "surplus", "stale", "misplaced"]
EVERYBODY = "everybody's list"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: what kind, of which post, where, and in words."""

    kind: Kind
    post_id: str
    place: str
    says: str


@dataclass(frozen=True)
class Expected:
    """What the view should say of one post."""

    user_id: int
    version: int
    order: str
    digest: bytes
    time: datetime
    expires_at: datetime | None


@dataclass
class Truth:
    """All posts as MongoDB has them. `unsettled`: their last event may not be on the topic yet."""

    posts: dict[str, Expected]
    unsettled: set[str]


def truth(states: Iterable[PostState]) -> Truth:
    """What the view should hold. Posts that wait for their removal are among the unsettled."""
    found = Truth({}, set())
    now = datetime.now(UTC)
    for state in states:
        event = state.event
        post_id = event.data.post_id
        if not state.settled or (state.expires_at and state.expires_at <= now):
            found.unsettled.add(post_id)
        if isinstance(event, PostPut):
            found.posts[post_id] = Expected(
                event.data.user_id, event.postversion, timestamp(event.time) + event.id,
                digest(feed_entry(event)), event.time, state.expires_at,
            )  # fmt: skip
        else:
            found.unsettled.add(post_id)
    return found


def compare(
    true: Truth,
    lists: Iterable[tuple[int | None, Sequence[Entry]]],
    known: Mapping[str, Known],
    removed: Mapping[int | None, int],
) -> set[Finding]:
    """All differences. `removed` counts, for each list, the posts that are known to be gone from it."""
    of_user: dict[int | None, list[str]] = defaultdict(list)
    for post_id, post in true.posts.items():
        of_user[post.user_id].append(post_id)
        of_user[None].append(post_id)
    found: set[Finding] = set()
    seen: set[int | None] = {None}
    for user, entries in [*lists]:
        seen.add(user)
        found.update(compare_list(user, entries, true.posts, of_user[user], removed.get(user, 0)))
    for user in of_user.keys() - seen:
        found.update(compare_list(user, (), true.posts, of_user[user], removed.get(user, 0)))
    found.update(compare_known(true.posts, known))
    return found


def compare_list(
    user: int | None,
    entries: Sequence[Entry],
    posts: Mapping[str, Expected],
    mine: Sequence[str],
    removed: int,
) -> Iterator[Finding]:
    """What is wrong in the list of `user` (None: everybody's), whose posts are `mine`."""
    raise NotImplementedError("Lab 08, step 4: write compare_list")


def _missing(
    place: str,
    most: int,
    there: Mapping[str, Entry],
    posts: Mapping[str, Expected],
    mine: Sequence[str],
    removed: int,
) -> Iterator[Finding]:
    raise NotImplementedError("Lab 08, step 4: write _missing")


def compare_known(posts: Mapping[str, Expected], known: Mapping[str, Known]) -> Iterator[Finding]:
    """What is wrong in the view's knowledge of versions, by which it refuses late events."""
    raise NotImplementedError("Lab 08, step 4: write compare_known")


def out_of_order(entries: Sequence[Entry]) -> list[Entry]:
    """The fewest entries without which the rest is newest first (by the longest ordered rest)."""
    raise NotImplementedError("Lab 08, step 4: write out_of_order")


def digest(raw: bytes) -> bytes:
    """Stands for an entry without keeping it."""
    return blake2b(raw, digest_size=16).digest()


def _shown(entry: Entry) -> str:
    return entry.raw[:80].decode(errors="replace")
