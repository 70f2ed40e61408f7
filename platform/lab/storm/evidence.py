"""The evidence after a storm: the events on the topic, and the feeds as their users get them."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import orjson
from kafka.errors import KafkaError
from redis import Redis
from redis.exceptions import RedisError

from civildiy.contracts.posts.whole_topic import partitions_of
from civildiy.feed import keys
from lab.deadlines import slow
from lab.errors import LabError
from lab.faults.topic import must_listen
from lab.storm.client import Caller
from lab.storm.history import Entry, Event, History, moment
from lab.storm.people import Account
from lab.storm.private import note
from lab.storm.readers import entries

T = TypeVar("T")

RECOVERY_SECONDS = 30.0
"""The time after the last fault within which the system must have recovered by itself."""
PATH = "/api/activity-stream"
PAGE = 25
"""Another number than the readers use, so that the pages are divided at other entries."""


def patiently(kafka: str, ask: Callable[[], T]) -> T:
    """Return the result of `ask`, repeated while a busy broker does not answer. Raises LabError."""
    deadline = time.monotonic() + RECOVERY_SECONDS * slow()
    while True:
        try:
            must_listen(kafka)
            return ask()
        except (KafkaError, LabError) as error:
            if time.monotonic() > deadline:
                raise LabError(
                    f"The topic could not be read: {error}. Find the cause: ./lab status"
                ) from error
            time.sleep(0.5)


def streams(gateway: str, accounts: list[Account]) -> dict[int, list[Entry]]:
    """Return each user's own feed by user id, and the global feed as 0, newest first. Raises LabError."""
    own_feeds = {a.id: _stream(Caller(gateway, a.token), f"{PATH}/user") for a in accounts}
    return own_feeds | {0: _stream(Caller(gateway), PATH)}


def _stream(caller: Caller, path: str) -> list[Entry]:
    found: list[Entry] = []
    while True:
        answer = caller.call("GET", f"{path}?limit={PAGE}&skip={len(found)}")
        if not answer.ok:
            caller.close()
            raise LabError(f"{path} answered {answer.status}")
        page = entries(answer.body)
        found += page
        if not page:  # a page that is only shorter than PAGE may have been cut for its size
            break
    caller.close()
    return found


def look_at_profiles(gateway: str, accounts: list[Account], history: History) -> None:
    """Let each user read their own profile again, for the history. Raises LabError when that fails."""
    for account in accounts:
        caller = Caller(gateway, account.token)
        look = note(history, caller, account.id)
        caller.close()
        if look.status != 200:
            raise LabError(f"Reading the profile of user {account.id} was answered {look.status}")


def generation(redis: str) -> bytes | None:
    """Return the name of the whole view, None while Redis does not answer; a rebuilt view has a new name."""
    host, _, port = redis.rpartition(":")
    try:
        with Redis(host=host, port=int(port), socket_timeout=5) as client:
            return bytes(client.get(keys.GENERATION) or b"")
    except RedisError:
        return None


def next_offsets(statistics: Mapping[str, Any]) -> tuple[int, ...] | None:
    """Return the view's next offset in each partition, from the feed's statistics; None if there is none."""
    if statistics["next_offset"] is None:
        return None
    each = statistics.get("partitions") or [statistics]
    return tuple(one["next_offset"] or 0 for one in each)


def ends_of_topic(kafka: str) -> list[int]:
    """Return the offset after the newest event of each partition. Raises KafkaError."""
    with partitions_of(kafka) as topics:
        return [topic.end() for topic in topics]


def events_since(kafka: str, first: Sequence[int], users: set[int]) -> list[Event]:
    """Return the topic's events about posts of these users, from these offsets on. Raises KafkaError.

    `first` has an offset for each partition. The events of one partition are in their order.
    """
    found: list[Event] = []
    with partitions_of(kafka) as topics:
        for topic, begin in zip(topics, first, strict=True):
            topic.seek(begin)
            for record in topic.until(topic.end()):
                with suppress(ValueError, KeyError, TypeError):  # poison messages are a part of the storm
                    event = orjson.loads(record.value)
                    data = event["data"]
                    if data["user_id"] in users:
                        found.append(
                            Event(record.offset, event["id"], data["post_id"], event["postversion"],
                                  event["type"] in ("post.deleted", "post.expired"), data["user_id"],
                                  data.get("title", ""), moment(event["time"]) + event["id"],
                                  record.partition)
                        )  # fmt: skip
    return found
