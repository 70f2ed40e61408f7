"""Compares the view with the posts, item by item.

The system goes on while it is compared, so one look proves nothing: a post may change between
reading MongoDB and reading Redis. Each look therefore reads the posts, waits until the projector has
passed everything that was published before, and reads the view; and a difference counts only when all
looks show the very same one. Posts whose last event is still on its way are not judged.
"""

import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Literal

from civildiy.feed import keys
from civildiy.operations.batches import batches
from civildiy.operations.truth import Expected, Posts, digest
from civildiy.operations.view_reader import Entry, Known, View

Kind = Literal["missing", "surplus", "stale", "misplaced"]
EVERYBODY = "the global feed"
PART = 1000
"""So many posts are compared at a time: a comparison needs the same memory for any number of posts."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: what kind, of which post, where, and in words."""

    kind: Kind
    post_id: str
    place: str
    says: str


def compare(posts: Posts, view: View, removed: Mapping[int | None, int]) -> Iterator[Finding]:
    """Yield all differences. `removed` counts, for each list, the posts that are known to be gone from it."""
    others = (user for user in view.users() if not posts.newest(user, 1))
    for user, entries in view.lists(chain([None], posts.authors(), others)):
        # One more than a list holds: then it may have dropped its end. Older posts make no difference.
        mine = posts.newest(user, (keys.GLOBAL_MAX if user is None else keys.USER_MAX) + 1)
        yield from compare_list(user, entries, posts, mine, removed.get(user, 0))
    for some in batches(posts.items(), PART):
        yield from compare_known(dict(some), view.known([post_id for post_id, _ in some]))
    for names in batches(view.post_ids(), PART):
        yield from compare_known({}, view.known([post_id for post_id in names if post_id not in posts]))


def compare_list(
    user: int | None,
    entries: Sequence[Entry],
    posts: Mapping[str, Expected],
    mine: Sequence[str],
    removed: int,
) -> Iterator[Finding]:
    """Yield a Finding for each difference in the list of `user` (None: the global list).

    `entries` is the list as Redis holds it, newest first. An Entry has `raw` (bytes), `post_id`, `version`
    (int), `order` (time and event id as one text) and `user_id`. `posts` are all posts that MongoDB has, by
    id: an Expected has `user_id`, `version` and `digest`, to compare with `digest(entry.raw)`. `mine` are the
    ids that belong to this list, and `removed` counts its removed posts; pass both on to `_missing`.

    First, an entry gets at most one of these, the first that fits. surplus: beyond the list's greatest length
    (GLOBAL_MAX or USER_MAX); seen before in this list; unknown to MongoDB. misplaced: of another user, in a
    user's list. stale: other bytes than MongoDB's post would give. Then, over the first entry of each known
    post, misplaced: each entry that `out_of_order(entries)` returns. Last, all findings of `_missing`.

    `says` is a sentence for people; `_shown(entry)` and `_outdated(entry, post)` return parts of one.
    Example: Finding("stale", post_id, place, "version 1 is shown, MongoDB has version 2")
    """
    place, most = (EVERYBODY, keys.GLOBAL_MAX) if user is None else (keys.of_user(user), keys.USER_MAX)
    there: dict[str, Entry] = {}
    for number, entry in enumerate(entries):
        post = posts.get(entry.post_id)
        if number >= most:
            yield Finding("surplus", entry.post_id, place, f"entry {number + 1} of at most {most}")
        elif entry.post_id in there:
            yield Finding("surplus", entry.post_id, place, "more than once")
        elif post is None:
            yield Finding("surplus", entry.post_id, place, f"MongoDB has no such post: {_shown(entry)}")
        elif user is not None and post.user_id != user:
            yield Finding("misplaced", entry.post_id, place, f"the post belongs to user {post.user_id}")
        elif digest(entry.raw) != post.digest:
            yield Finding("stale", entry.post_id, place, _outdated(entry, post))
        there.setdefault(entry.post_id, entry)
    for entry in out_of_order([entry for entry in there.values() if entry.post_id in posts]):
        yield Finding("misplaced", entry.post_id, place, "not in the order of time, newest first")
    yield from _missing(place, most, there, posts, mine, removed)


def _missing(
    place: str,
    most: int,
    there: Mapping[str, Entry],
    posts: Mapping[str, Expected],
    mine: Sequence[str],
    removed: int,
) -> Iterator[Finding]:
    expected = sorted(mine, key=lambda post_id: posts[post_id].order, reverse=True)[:most]
    last = min((entry.order for entry in there.values()), default="")
    forgotten = datetime.now(UTC) - timedelta(seconds=keys.LIST_SECONDS)
    if not there and expected and posts[expected[0]].time < forgotten:
        return  # nobody added to it for a week, so Redis has dropped it
    # A list that was full once may have dropped its end, and nothing brings that back.
    cut_off = len(there) >= most or len(mine) + removed > most
    for post_id in expected:
        if post_id not in there and (posts[post_id].order > last or not cut_off):
            yield Finding("missing", post_id, place, f"version {posts[post_id].version} should be there")


def compare_known(posts: Mapping[str, Expected], known: Mapping[str, Known]) -> Iterator[Finding]:
    """Yield a Finding for each wrong version in the posts' hashes, by which late events are refused.

    `known` has a Known for each hash: `version` (int) and `has_entry` (bool). Its place is
    `keys.of_post(post_id)`. missing: a post without a hash, if its `time` is at most `keys.LIST_SECONDS` ago
    (an older hash may have expired). stale: another version than MongoDB's. surplus: a hash with an entry
    whose post MongoDB doesn't have; a hash without one is the tombstone of a removed post.
    """
    recent = datetime.now(UTC) - timedelta(seconds=keys.LIST_SECONDS)
    for post_id, post in posts.items():
        stored = known.get(post_id)
        if stored is None and post.time > recent:
            yield Finding("missing", post_id, keys.of_post(post_id), "the view does not know its version")
        elif stored is not None and stored.version != post.version:
            says = f"version {stored.version} is noted, MongoDB has version {post.version}"
            yield Finding("stale", post_id, keys.of_post(post_id), says)
    for post_id, stored in known.items():
        if stored.has_entry and post_id not in posts:
            says = "MongoDB has no such post, its text is still kept"
            yield Finding("surplus", post_id, keys.of_post(post_id), says)


def out_of_order(entries: Sequence[Entry]) -> list[Entry]:
    """The fewest entries without which the rest is newest first (by the longest ordered rest)."""
    tails: list[str] = []  # the smallest possible last order of an ordered rest, by its length
    length_at = []
    for entry in reversed(entries):
        place = bisect.bisect_left(tails, entry.order)
        tails[place : place + 1] = [entry.order]
        length_at.append(place)
    wrong, length_left = [], len(tails) - 1
    for entry, length in zip(entries, reversed(length_at), strict=True):
        if length == length_left:
            length_left -= 1
        else:
            wrong.append(entry)
    return wrong


def _outdated(entry: Entry, post: Expected) -> str:
    """Return what is wrong with an entry whose bytes are not those of MongoDB's post."""
    if entry.version == post.version:
        return f"another text than MongoDB has for version {post.version}"
    return f"version {entry.version} is shown, MongoDB has version {post.version}"


def _shown(entry: Entry) -> str:
    """Return the beginning of an entry, which may be anything."""
    return entry.raw[:80].decode(errors="replace")
