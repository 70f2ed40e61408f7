"""Measure a claim: a page takes 2 to 3 ms from Redis, and more than 100 ms from MongoDB.

The page is always the newest 20 posts and the number of all posts. MongoDB computes it on demand from a
collection made for this measurement. Redis holds it as a list. The gateway serves the system's own feed.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

from pymongo.collection import Collection

from civildiy.feed import keys
from lab.notebook import plots
from lab.notebook.databases import scratch, timed
from lab.notebook.feed import redis
from lab.notebook.picture import Picture, Table
from lab.notebook.stack import client

SIZES = (100, 1_000, 10_000, 100_000)
PAGE = 20
REDIS_MS = (2.0, 3.0)
MONGODB_MS = 100.0
ON_DEMAND, WITH_INDEX = "MongoDB, no index", "MongoDB, with an index"
LIST, THROUGH_GATEWAY = "Redis, the list alone", "Redis, through the gateway"
NEWEST: list[dict[str, Any]] = [{"$sort": {"updated_at": -1}}, {"$limit": PAGE}]

Measured = Mapping[int, Mapping[str, Sequence[float]]]
"""Milliseconds of each read, by number of posts and by the way of reading."""


def measure(sizes: Sequence[int] = SIZES, times: int = 12) -> Measured:
    """Read the page `times` times in each way, at each size; the fast ways five times as often."""
    found: dict[int, dict[str, list[float]]] = {}
    with client() as http:
        for size in sizes:
            with scratch(size) as posts, _view_of(posts) as key:

                def on_demand(posts: Collection[dict[str, Any]] = posts) -> object:
                    return list(posts.aggregate(NEWEST)), posts.count_documents({})

                def from_list(key: str = key) -> object:
                    return redis().lrange(key, 0, PAGE - 1), redis().llen(key)

                def through_gateway() -> object:
                    return http.get("/api/activity-stream", params={"limit": PAGE}).raise_for_status()

                ways = {ON_DEMAND: timed(on_demand, times)}
                posts.create_index([("updated_at", -1)])
                ways[WITH_INDEX] = timed(on_demand, times)
                ways[LIST] = timed(from_list, 5 * times)
                ways[THROUGH_GATEWAY] = timed(through_gateway, 5 * times)
                found[size] = ways
    return found


@contextmanager
def _view_of(posts: Collection[dict[str, Any]]) -> Iterator[str]:
    """Keep the newest posts in a list, as the projector does, during the block; yields its key."""
    key = f"notebook:{secrets.token_hex(4)}"
    newest = posts.aggregate([NEWEST[0], {"$limit": keys.GLOBAL_MAX}])
    try:
        redis().rpush(key, *(repr(post).encode() for post in newest))
        yield key
    finally:
        redis().delete(key)


def typical(measured: Measured, way: str, size: int = SIZES[-1]) -> float:
    """Return the median of one way at one size, in milliseconds."""
    return median(measured[size][way])


def picture(measured: Measured) -> Picture:
    """Draw the distributions of all sizes side by side."""
    words = ". ".join(
        f"With {_number(size)} posts: {', '.join(f'{way} {median(ms):.2f} ms' for way, ms in by.items())}"
        for size, by in measured.items()
    )
    groups = {f"{_number(size)} posts": by for size, by in measured.items()}
    title = "One page: the newest 20 posts, and how many there are"
    return plots.boxes(groups, alt=f"{title}. Medians. {words}.", title=title, y="milliseconds", log=True)


def table(measured: Measured) -> Table:
    """Return the medians as a table, one row for each way."""
    ways = list(next(iter(measured.values())))
    rows = [(way, *(f"{typical(measured, way, size):.2f}" for size in measured)) for way in ways]
    return Table(
        "Median milliseconds for one page", ("way", *(f"{_number(n)} posts" for n in measured)), rows
    )


def tested(measured: Measured) -> Table:
    """Compare each part of the claim with this measurement, as a table."""
    least, most = min(measured), max(measured)
    served = typical(measured, THROUGH_GATEWAY, most)
    alone = [typical(measured, LIST, size) for size in (least, most)]
    slow = [size for size in measured if typical(measured, ON_DEMAND, size) > MONGODB_MS]
    word = "quicker" if served < REDIS_MS[0] else "as claimed" if served <= REDIS_MS[1] else "slower"
    rows = [
        ("a read from Redis takes 2 to 3 ms",
         f"{served:.1f} ms through the gateway, {alone[1]:.2f} ms the list alone", word),
        ("it does not get slower as posts grow",
         f"the list: {alone[0]:.2f} ms, then {alone[1]:.2f} ms", "yes" if alone[1] < 2 * alone[0] else "no"),
        ("MongoDB without an index takes more than 100 ms as posts grow",
         f"{typical(measured, ON_DEMAND, least):.1f} ms with {_number(least)} posts,"
         f" {typical(measured, ON_DEMAND, most):.0f} ms with {_number(most)}",
         f"from {_number(min(slow))} posts on" if slow else f"not up to {_number(most)} posts"),
    ]  # fmt: skip
    return Table("The claim, on this machine, now", ("it says", "measured", "result"), rows)


def _number(number: int) -> str:
    return f"{number:,}".replace(",", " ")
