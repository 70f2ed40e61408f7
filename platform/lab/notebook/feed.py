"""Read the view in Redis: its lists, their entries, and whether they agree with MongoDB."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from redis import Redis

from civildiy.feed import keys
from lab.errors import LabError
from lab.notebook.diagram import Drawing
from lab.notebook.people import Person
from lab.notebook.picture import Picture, Table
from lab.notebook.stack import address, eventually, mongodb


@cache
def redis(database: int = 0) -> "Redis":
    """Return a client of Redis. Database 0 is the live view; a rebuild fills keys.REBUILD_DATABASE."""
    host, _, port = address("redis").rpartition(":")
    return Redis(host=host, port=int(port), db=database, socket_timeout=5)


def warm() -> None:
    """Open the connection, so that the first measurement does not include it."""
    redis().ping()


def entries(person: Person | None = None) -> list[dict[str, Any]]:
    """Return the entries of a person's list, or of the global feed, newest first."""
    key = keys.of_user(person.id) if person else keys.GLOBAL
    return [json.loads(item) for item in redis().lrange(key, 0, -1)]


def titles(person: Person | None = None) -> list[str]:
    """Return the titles in a list, newest first."""
    return [entry["title"] for entry in entries(person)]


def shows(person: Person, *wanted: str) -> list[str]:
    """Wait until the person's list holds exactly these titles, newest first; return them."""
    eventually(lambda: titles(person) == list(wanted), what=f"the list to be {list(wanted)}")
    return titles(person)


def gets(person: Person, title: str, within: float = 20) -> bool:
    """Tell whether a title appears in the person's list within some seconds."""
    try:
        return eventually(lambda: title in titles(person), within=within, what=f"{title} to be in the list")
    except LabError:
        return False


def length(person: Person) -> int | None:
    """Return how many entries a reader gets of the person's stream through the gateway; None for an error."""
    answer = person.http.get("/api/activity-stream/user", params={"limit": 1})
    return int(answer.json()["total"]) if answer.status_code == 200 else None


def holds(post_id: str) -> bool:
    """Tell whether one of the newest entries is about this post."""
    return any(post_id.encode() in item for item in redis().lrange(keys.GLOBAL, 0, 5))


def next_offset(database: int = 0) -> int | None:
    """Return the next offset of a view, which the projector stores together with each change."""
    noted = redis(database).get(keys.OFFSET)
    return None if noted is None else int(noted)


def counters() -> dict[str, int]:
    """Return how many events were applied, stale, skipped and dead."""
    raw: Any = redis().hgetall(keys.COUNTERS)
    return {name.decode(): int(n) for name, n in raw.items()}


def counted(before: Mapping[str, int]) -> dict[str, int]:
    """Return how much each counter has grown since `before`."""
    return {name: now - before.get(name, 0) for name, now in counters().items()}


def show(person: Person | None = None, most: int = 5) -> Table:
    """Return the first entries of a list as Redis holds them."""
    rows = [(place, e["title"], e["version"], e["event_type"], e["timestamp"][11:23])
            for place, e in enumerate(entries(person)[:most])]  # fmt: skip
    key = keys.of_user(person.id) if person else keys.GLOBAL
    return Table(f"LRANGE {key} 0 {most - 1}", ("place", "title", "version", "event", "at (UTC)"), rows)


def compare(person: Person) -> Table:
    """Compare a person's posts in MongoDB with their entries in Redis, post by post."""
    stored = mongodb()["posts"]["posts"].find({"user_id": person.id, "deleted": {"$ne": True}})
    in_mongodb = {str(post["_id"]): (post["title"], post["version"]) for post in stored}
    view = {e["post_id"]: (e["title"], e["version"]) for e in entries(person)}
    rows = []
    for post_id in dict.fromkeys([*in_mongodb, *view]):
        left, right = in_mongodb.get(post_id), view.get(post_id)
        word = (
            "same"
            if left == right
            else "missing"
            if right is None
            else "surplus"
            if left is None
            else "stale"
        )
        rows.append((_said(left), _said(right), word))
    differing = sum(row[2] != "same" for row in rows)
    posts = "1 post" if len(rows) == 1 else f"{len(rows)} posts"
    caption = f"{posts} of {person.name.partition('-')[0]}, {differing} of them differ"
    return Table(caption, ("in MongoDB", "in Redis", "result"), rows)


def _said(post: tuple[str, int] | None) -> str:
    return f"{post[0]} (version {post[1]})" if post else "-"


def naive(events: Sequence[bytes], person: Person) -> list[str]:
    """Apply these events with LPUSH alone to a separate list; return its titles, newest first."""
    key = f"notebook:naive:{person.id}"
    try:
        for event in events:
            redis().lpush(key, event)
        return [json.loads(item)["data"]["title"] for item in redis().lrange(key, 0, -1)]
    finally:
        redis().delete(key)


def columns(lists: Mapping[str, Sequence[str]], title: str) -> Picture:
    """Return one list at several moments, side by side, with the head of the list on top."""
    most = max(len(found) for found in lists.values())
    drawing = Drawing(30 + 210 * len(lists), 44 + 34 * max(most, 1))
    for number, (when, found) in enumerate(lists.items()):
        x = 20 + 210 * number
        drawing.text(x, 24, when, 'font-size="14" font-weight="600"')
        for place, said in enumerate(found):
            drawing.box(x, 38 + 34 * place, 190, 28, (f"{place}: {said}",))
    said = "; ".join(
        f"{when}, {len(found)} {'entry' if len(found) == 1 else 'entries'}: {', '.join(found)}"
        for when, found in lists.items()
    )
    return Picture(drawing.svg(), f"{title}. {said}.", title)
