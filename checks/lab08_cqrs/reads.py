"""The cost of a read, the servers that it needs, and its answer."""

import time
from collections import Counter
from typing import Any

import pytest
from grading.events import redis, stats
from grading.outcome import require
from grading.people import Person, said
from grading.plugin import check
from grading.system import ENDPOINTS, backend, eventually, heal
from pymongo import MongoClient

from civildiy.feed import keys
from lab08_cqrs.stream import STREAM, filled, own


@check(points=2)
@pytest.mark.disturbs
def test_one_command_per_read(ada: Person) -> None:
    """A read is one command to Redis, and none to MongoDB"""
    filled(ada, 5)
    reads = 40
    own(ada)  # connections are made, scripts are loaded
    key = keys.of_user(ada.id).encode()
    host, _, port = ENDPOINTS["mongodb"].rpartition(":")
    with (
        MongoClient[dict[str, Any]](host, int(port), directConnection=True) as mongo,
        redis() as client,
        redis() as watcher,
        watcher.monitor() as monitor,
    ):

        def asked() -> int:
            return int(mongo.admin.command("top")["totals"]["posts.posts"]["queries"]["count"])

        mark, before, began = f"end {time.time_ns()}", asked(), time.monotonic()
        for _ in range(reads):
            own(ada, limit=5)
        queries, seconds = asked() - before, time.monotonic() - began
        client.echo(mark)
        seen = _until(monitor, mark)
    sent = [one for one in seen if one["client_type"] != "lua"]
    feed = {one["client_port"] for one in sent if key.decode() in one["command"]}
    commands = Counter(one["command"].split()[0].upper() for one in sent if one["client_port"] in feed)
    total = sum(commands.values())
    require(
        total == reads,
        f"read {reads} pages of 5 entries and watched Redis (MONITOR)",
        expected=f"{reads} commands",
        saw=f"{total}: {dict(commands)}",
        means="Each command is a round trip, and the list can change between two of them. One script"
        " returns both the length and the entries. Look at PAGE and `page` in queries.py.",
    )
    # The relay looks into the outbox about once a second.
    require(
        queries < reads / 2 + 3 * seconds,
        f"read {reads} pages and asked MongoDB how often posts were queried (top)",
        expected="no query for a read",
        saw=f"{queries} queries",
        means="The view exists so that a read needs no query to MongoDB. Look at `page` in queries.py.",
    )


def _until(monitor: Any, mark: str) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []
    while True:
        command = monitor.next_command()
        if mark in command["command"]:
            return seen
        seen.append(command)


@check(points=2)
@pytest.mark.disturbs
def test_reads_without_the_write_side(ada: Person) -> None:
    """Reads work while MongoDB and Kafka are stopped"""
    ids = filled(ada, 3)
    try:
        backend.stop_unit("mongodb")
        backend.stop_unit("kafka")
        seen = [item["post_id"] for item in own(ada)["items"]]
        public = ada.http.get(STREAM, params={"limit": 3})
    finally:
        backend.start_unit("mongodb")
        backend.start_unit("kafka")
        heal()
    require(
        seen == ids and public.status_code == 200,
        "stopped MongoDB and Kafka, then read both streams",
        expected="the same entries as before",
        saw=f"{len(seen)} entries of one's own; everybody's: {said(public)[:80]}",
        means="A read that needs MongoDB or Kafka fails together with them. Look at `page` in queries.py.",
    )
    eventually(lambda: stats()["lag_events"] == 0, within=30, what="Kafka to be back and the lag to be 0")


@check(points=2)
def test_pages_and_bounds(ada: Person, bob: Person) -> None:
    """limit and skip select the right page, and other values are refused with their name"""
    ids = filled(ada, 7)
    for limit, skip in ((3, 0), (3, 3), (3, 6), (1, 1), (100, 0), (5, 7), (5, 1000)):
        page = own(ada, limit=limit, skip=skip)
        seen = [item["post_id"] for item in page["items"]]
        wanted = ids[skip : skip + limit]
        figures = {name: page.get(name) for name in ("total", "limit", "skip")}
        require(
            seen == wanted and figures == {"total": 7, "limit": limit, "skip": skip},
            f"limit={limit} and skip={skip} of 7 posts",
            expected=f"posts {skip + 1} to {skip + len(wanted)} of 7" if wanted else "no items, total 7",
            saw=f"places {[ids.index(one) + 1 if one in ids else '?' for one in seen]}, {figures}",
            means="LRANGE counts from 0 and includes both ends, so the last index is skip + limit - 1. Look"
            " at `page` in queries.py.",
        )
    empty = own(bob, limit=5)
    require(
        (empty["items"], empty["total"]) == ([], 0),
        "read the stream of somebody who has written nothing",
        expected="no items, total 0",
        saw=empty,
        means="A list that does not exist is an empty list: LLEN returns 0 for it, and LRANGE no entries."
        " Look at PAGE in queries.py.",
    )
    page = ada.http.get(STREAM, params={"limit": 100}).json()
    front = [item["post_id"] for item in page["items"] if item["user_id"] == ada.id]
    require(
        front == ids and page["total"] >= len(page["items"]),
        "read the global feed right after seven posts",
        expected="the seven in it, newest first",
        saw=f"places {[ids.index(one) + 1 if one in ids else '?' for one in front]}, total {page['total']}",
        means="The global feed is a list like a user's, with another key. Use the argument `key`. Look at"
        " `page` in queries.py.",
    )
    for name, value in (("limit", "0"), ("limit", "101"), ("skip", "-1"), ("limit", "many"), ("skip", "1.5")):
        answer = ada.http.get(STREAM, params={name: value})
        require(
            answer.status_code == 422 and name in answer.text,
            f"GET {STREAM}?{name}={value}",
            expected=f"422 that names {name}",
            saw=said(answer),
            means="A client that asks for an impossible page must be told which value is wrong.",
        )
