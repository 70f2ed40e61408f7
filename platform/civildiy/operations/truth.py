"""All posts as MongoDB has them, for a comparison with the view and the topic.

They need not fit into memory: SQLite keeps them in a file, holds 2 MB of it, and deletes it at the end. The
file has about 250 bytes for each post; the variable TMPDIR names its folder.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b

from civildiy.contracts.posts.envelope import PostPut
from civildiy.feed.projector.projection import feed_entry, timestamp
from civildiy.posts.snapshot import PostState

SCHEMA = """
PRAGMA journal_mode = OFF;  -- after a crash nobody reads the file
CREATE TABLE posts (
    id TEXT PRIMARY KEY, user_id TEXT, version INTEGER, place TEXT, digest BLOB, time TEXT
) WITHOUT ROWID;
CREATE TABLE not_judged (id TEXT PRIMARY KEY) WITHOUT ROWID;
"""
BY_AUTHOR = "CREATE INDEX IF NOT EXISTS by_author ON posts (user_id, place)"
NEWEST = "SELECT id FROM posts ORDER BY place DESC LIMIT ?"
NEWEST_OF_AUTHOR = "SELECT id FROM posts WHERE user_id = ? ORDER BY place DESC LIMIT ?"


@dataclass(frozen=True)
class Expected:
    """What the view should say of one post."""

    user_id: int
    version: int
    order: str
    """Time and id of its last event as one text, as in the post's entry."""
    digest: bytes
    time: datetime


class Posts(Mapping[str, Expected]):
    """All posts by id, in the order of their ids. A look-up reads the file."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __getitem__(self, post_id: str) -> Expected:
        found = self._database.execute(
            "SELECT user_id, version, place, digest, time FROM posts WHERE id = ?", (post_id,)
        ).fetchone()
        if found is None:
            raise KeyError(post_id)
        user_id, version, order, raw_digest, time = found
        return Expected(int(user_id), version, order, raw_digest, datetime.fromisoformat(time))

    def __iter__(self) -> Iterator[str]:
        return (post_id for (post_id,) in self._database.execute("SELECT id FROM posts ORDER BY id"))

    def __len__(self) -> int:
        return int(self._database.execute("SELECT count(*) FROM posts").fetchone()[0])

    def authors(self) -> Iterator[int]:
        """Yield each user who has a post."""
        # Now, because an index is made faster than it is kept up to date.
        self._database.execute(BY_AUTHOR)
        return (int(user) for (user,) in self._database.execute("SELECT DISTINCT user_id FROM posts"))

    def newest(self, user: int | None, most: int) -> list[str]:
        """Return the ids of the last `most` posts of `user`, or of all users (None), newest first."""
        query, values = (NEWEST, (most,)) if user is None else (NEWEST_OF_AUTHOR, (str(user), most))
        found = self._database.execute(query, values)
        return [post_id for (post_id,) in found]


class Truth:
    """What the view and the topic should hold. Close it to delete its file."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("")  # a temporary file without a name
        self._database.executescript(SCHEMA)
        self.posts = Posts(self._database)

    def add(self, post_id: str, post: Expected) -> None:
        """Add a post."""
        # As text, because SQLite has no integers beyond 64 bits, and a key in Redis may name any user.
        row = (post_id, str(post.user_id), post.version, post.order, post.digest, post.time.isoformat())
        self._database.execute("INSERT OR REPLACE INTO posts VALUES (?, ?, ?, ?, ?, ?)", row)

    def leave_out(self, post_ids: Iterable[str]) -> None:
        """Do not judge these posts: their last event may not be on the topic yet, or not in the view."""
        rows = ((post_id,) for post_id in post_ids)
        self._database.executemany("INSERT OR IGNORE INTO not_judged VALUES (?)", rows)

    def judges(self, post_id: str) -> bool:
        """Return whether a difference in this post is a fault."""
        found = self._database.execute("SELECT 1 FROM not_judged WHERE id = ?", (post_id,))
        return found.fetchone() is None

    @property
    def not_judged(self) -> int:
        """The number of posts that are not judged."""
        return int(self._database.execute("SELECT count(*) FROM not_judged").fetchone()[0])

    def close(self) -> None:
        """Delete the file."""
        self._database.close()


def truth(states: Iterable[PostState]) -> Truth:
    """Return what the view should hold. Posts that wait for their removal are not judged."""
    found = Truth()
    now = datetime.now(UTC)
    for state in states:
        event = state.event
        post_id = event.data.post_id
        if isinstance(event, PostPut):
            order, entry = timestamp(event.time) + event.id, digest(feed_entry(event))
            found.add(post_id, Expected(event.data.user_id, event.postversion, order, entry, event.time))
            waits = not state.settled or (state.expires_at is not None and state.expires_at <= now)
        else:
            waits = True
        if waits:
            found.leave_out([post_id])
    return found


def digest(raw: bytes) -> bytes:
    """Stands for an entry without keeping it."""
    return blake2b(raw, digest_size=16).digest()
