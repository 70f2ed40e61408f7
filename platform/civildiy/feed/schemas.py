"""The requests and answers of the feed's API."""

from collections.abc import Sequence
from datetime import datetime
from itertools import zip_longest
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from civildiy.chassis.strings import Decimal, Formed

Cursor = Annotated[
    str,
    Formed(
        r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z_[^"\x00-\x1f]{1,600}',
        "the `next` of an earlier page, unchanged",
    ),
]
"""Time and event id of an entry, joined by '_'. The id is written as in the entry: there `\\u0001` is six
characters."""


class PageQuery(BaseModel):
    """The part of a stream to return.

    `before` is the `next` of the page before this one. Pages by `before` neither repeat nor leave out an
    entry while others are added. `skip` counts from the newest entry at the moment of the request, so pages
    by it shift when one is added. A post that changes gets a new entry at the front, and loses its old one.
    """

    model_config = ConfigDict(extra="forbid")

    before: Cursor | None = None
    limit: Annotated[int, Field(ge=1, le=100), Decimal] = 20
    skip: Annotated[int, Field(ge=0, le=1_000_000), Decimal] = 0


class Activity(BaseModel):
    """A post as the stream shows it, with the latest event about it."""

    timestamp: datetime
    event_id: str
    event_type: Literal["post.created", "post.updated"]
    post_id: str
    user_id: int
    title: str
    content: str
    tags: list[str]
    created_at: datetime
    version: int


class ActivityPage(BaseModel):
    """Part of a stream, newest first; `total` is the number of all entries that the stream holds now.

    Send `next` as `before` to get the page after this one; it is null at the end. A page of long posts ends
    after 512 KiB, before it has `limit` items.
    """

    items: list[Activity]
    total: int
    limit: int
    skip: int
    next: str | None


class Counters(BaseModel):
    """Number of events by their result, since the view was built."""

    applied: int = 0
    stale: int = 0
    skipped: int = 0
    dead: int = 0


class Lag(BaseModel):
    """How far the view is behind: events not applied yet, and the age of the oldest of them."""

    events: int
    seconds: float


class TopicLag(Lag):
    """The same for a topic with several partitions: the sum of the events, the age of the oldest one."""

    partitions: list[Lag]


class Stats(BaseModel):
    """State of the view. `lag` is null while Kafka does not answer."""

    global_activity_count: int
    consumer_state: Literal["running", "stopped"]
    lag: Lag | None
    lag_events: int | None
    lag_seconds: float | None
    next_offset: int | None
    counters: Counters


class PartitionStats(BaseModel):
    """State of one partition: where the view goes on, and how far it is behind."""

    next_offset: int | None
    lag_events: int | None
    lag_seconds: float | None


class TopicStats(Stats):
    """State of the view of a topic with several partitions; `next_offset` is the sum of theirs."""

    partitions: list[PartitionStats]


def of_partitions(stats: Stats, next_offsets: Sequence[int | None], lag: Lag | None) -> Stats | TopicStats:
    """Return `stats` with the state of each partition, if there are several.

    While Kafka does not answer, those are known for which the view has an offset.
    """
    lags = lag.partitions if isinstance(lag, TopicLag) else ()
    if len(lags) <= 1 and len(next_offsets) == 1:
        return stats
    return TopicStats(
        **stats.model_dump(),
        partitions=[
            PartitionStats(
                next_offset=offset,
                lag_events=each.events if each else None,
                lag_seconds=each.seconds if each else None,
            )
            for offset, each in zip_longest(next_offsets, lags)
        ],
    )
