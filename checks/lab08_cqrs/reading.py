"""Pages that the check asks the learner's functions for, from data of its own."""

import json
from typing import Any

from grading.learner_process import beside
from grading.outcome import require
from grading.plugin import check
from grading.stack import ENDPOINTS

from lab.course.exercise import Exercise

PAGES = """
import asyncio, json, sys
from redis.asyncio import Redis
from redis.exceptions import RedisError
from civildiy.feed.queries import page
from civildiy.feed.schemas import PageQuery

host, _, port = sys.argv[1].rpartition(":")
ENTRIES = [
    json.dumps({"post_id": str(n), "tags": [], "title": f'a "b" \\u00e9 {n}', "version": 1.0, "big": 2**53})
    for n in range(5)
]

async def main():
    redis = Redis(host=host, port=int(port), db=10)
    found = {}
    try:
        await redis.flushdb()
        await redis.rpush("full", *ENTRIES)
        for name, skip, limit in (
            ("full", 0, 2), ("full", 0, 5), ("full", 1, 1), ("full", 3, 10), ("full", 5, 2), ("full", 4, 1),
            ("none", 0, 2),
        ):
            raw = await page(redis, name, PageQuery(skip=skip, limit=limit))
            wanted = [] if name == "none" else ENTRIES[skip : skip + limit]
            document = json.loads(raw)
            found[f"{name} {skip} {limit}"] = {
                "same": bytes(raw).decode().find(",".join(wanted)) >= 0,
                "seen": [item.get("post_id") for item in document["items"] or []],
                "wanted": [json.loads(entry)["post_id"] for entry in wanted],
                "list": isinstance(document["items"], list),
                "numbers": [document.get(name) for name in ("total", "limit", "skip")],
                "right": [0 if name == "none" else 5, limit, skip],
            }
        await page(redis, "full", PageQuery(skip=0, limit=1))
        await redis.lset("full", 0, ENTRIES[3])
        changed = json.loads(await page(redis, "full", PageQuery(skip=0, limit=1)))
        found["changed"] = changed["items"][0]["post_id"]
        await redis.script_flush()
        try:
            await page(redis, "full", PageQuery(skip=0, limit=1))
            found["flushed"] = "a page"
        except RedisError as error:
            found["flushed"] = f"{type(error).__name__}: {error}"
    finally:
        await redis.flushdb()
    say(json.dumps(found))

asyncio.run(main())
"""


TOTAL = (
    "`total` is the length of the whole list (LLEN), however long the page is. Look at PAGE and `page` in"
    " queries.py."
)
SHAPE = (
    "`total` is right. Each page also holds the `limit` and the `skip` that were asked for, whether it has"
    " entries or not: programs read all four fields of every answer. Look at `page` in queries.py."
)


@check(points=2)
def test_page_step_by_step(lab: Exercise) -> None:
    """A page holds the stored bytes of its entries, and the length of the list as it is now"""
    with beside(lab, "feed", PAGES, ENDPOINTS["redis"], only=("civildiy.feed.queries",)) as module:
        found: dict[str, Any] = json.loads(module.hear("your page() to return some pages", within=20))
    changed, flushed = found.pop("changed"), found.pop("flushed")
    for case, seen in found.items():
        name, skip, limit = case.split()
        whole = "a list of five" if name == "full" else "a list that does not exist"
        did = f"asked page() for skip={skip} and limit={limit} of {whole}"
        require(
            seen["seen"] == seen["wanted"] and seen["list"],
            did,
            expected=f"`items` with the entries {seen['wanted']}, counted from 0",
            saw=seen["seen"] if seen["list"] else "`items` is no list",
            means="LRANGE counts from 0 and includes both ends, so the last index is skip + limit - 1."
            " Without entries `items` is an empty list. Look at PAGE and `page` in queries.py.",
        )
        require(
            seen["numbers"] == seen["right"],
            did,
            expected=f"total, limit and skip {seen['right']}",
            saw=seen["numbers"],
            means=TOTAL if seen["numbers"][0] != seen["right"][0] else SHAPE,
        )
        require(
            seen["same"],
            did,
            expected="the stored bytes of these entries, joined by commas",
            saw="other bytes",
            means="Entries are JSON already. Code that decodes and encodes them again costs time and changes"
            " them: Lua turns an empty list into an object, and cuts large numbers. Look at PAGE in"
            " queries.py.",
        )
    require(
        changed == "3",
        "asked page() for the newest entry, replaced that entry in Redis, and asked again",
        expected="the new entry",
        saw="the old one",
        means="Your code answers from its own memory. A reader must see a change as soon as it is in the"
        " view: ask Redis each time. Look at `page` in queries.py.",
    )
    require(
        flushed == "a page",
        "read a page, made Redis forget its scripts as a restart does, and read it again",
        expected="a page",
        saw=flushed,
        means="Redis keeps scripts in memory only. After its restart the hash of a script is unknown, and all"
        " pages fail. `redis.eval_ro(PAGE, …)` sends the script itself. Look at `page` in queries.py.",
    )
