"""What posts measures of its outbox when its metrics are collected.

The service measures it and not the relay: a relay that is dead or hangs must not be able to hide it.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import orjson
from prometheus_client.core import Metric
from pymongo import timeout
from pymongo.asynchronous.database import AsyncDatabase

from civildiy.chassis.observability.measurements import Measure, gauge
from civildiy.posts.document import Query
from civildiy.posts.store import COLLECTION

MOST_POSTS = 10_000
"""The depth is exact up to so many posts; counting more would load MongoDB when it is slow already."""
OLDEST_OF = 20
SECONDS = 0.8

_OWING: Query = {"settled": False, "outbox.0.body": {"$type": "binData"}}


def outbox(database: AsyncDatabase[Any]) -> Measure:
    """Return how the outbox is measured; it raises pymongo's errors while MongoDB does not answer."""
    posts = database[COLLECTION]

    async def measure() -> Iterable[Metric]:
        with timeout(SECONDS):
            # `hint`: the index of unsettled posts, which is empty most of the time.
            depth = await posts.aggregate(
                [
                    {"$match": _OWING},
                    {"$limit": MOST_POSTS},
                    {"$group": {"_id": None, "events": {"$sum": {"$size": "$outbox"}}}},
                ],
                hint="outbox",
            )
            counted = await depth.to_list(1)
            heads = posts.find(_OWING, {"outbox": {"$slice": 1}}, sort=[("updated_at", 1)], limit=OLDEST_OF)
            times = [_time(post["outbox"][0]["body"]) async for post in heads]
        age = max((datetime.now(UTC) - min(times)).total_seconds(), 0.0) if times else 0.0
        return (
            gauge(
                "outbox_events", "Events that are not published yet", counted[0]["events"] if counted else 0
            ),
            gauge("outbox_oldest_seconds", "Age of the oldest event that is not published yet", age),
        )

    return measure


def _time(body: bytes) -> datetime:
    return datetime.fromisoformat(orjson.loads(body)["time"])
