"""Batches that the check hands to the projection itself, in a Redis database of its own."""

import json
from typing import Any

import pytest
from grading.learner_process import beside
from grading.outcome import require
from grading.plugin import check
from grading.stack import ENDPOINTS

from lab.course.exercise import Exercise
from lab07_feeds.batch_program import BATCHES, LARGE

MODULE = "civildiy.feed.projector.projection"


def _results(lab: Exercise) -> dict[str, Any]:
    words = (ENDPOINTS["redis"], str(LARGE))
    with beside(lab, "feed-projector", BATCHES, *words, only=(MODULE,)) as module:
        found: dict[str, Any] = json.loads(module.hear("your projection to apply some batches", within=30))
    return found


@check(points=3)
@pytest.mark.disturbs
def test_batch_step_by_step(lab: Exercise) -> None:
    """A batch is applied in one pipeline, its offset follows it, and an error stores no offset"""
    found = _results(lab)
    where = "in projection.py"
    _same(
        "applied a batch of 300 events to an empty Redis that does not know the script", found["first"],
        {"raised": "nothing", "offset": 300, "applied": 300, "stale": 0, "entries": 300},
        "On NoScriptError `apply` has to load the script and to call `_send` again with the same events: it"
        f" applies all of them, and `_note` stores the offset. Look at `apply` and `_send` {where}.",
    )  # fmt: skip
    _one_pipeline(found["first"], 300, 2, "one pipeline (two, as the script was not loaded yet)")
    _same(
        "removed all scripts from Redis, then applied a batch of ten new events and one duplicate",
        found["forgotten"], {"raised": "nothing", "offset": 310, "applied": 310, "stale": 1, "entries": 310},
        "Redis forgets scripts when it restarts. `apply` has to load the script and to send the whole batch"
        f" again; b\"stale\" counts as stale, each other answer as applied. Look {where}.",
    )  # fmt: skip
    _same(
        "applied a batch without events, of which two records were skipped and one was dead", found["empty"],
        {"raised": "nothing", "offset": 313, "skipped": 2, "dead": 1, "entries": 310},
        "A batch can consist of skipped and dead records only. Its offset and its numbers have to be stored"
        f" as well, or the projector reads it again for ever. Call `_note` in each case. Look"
        f" at `_send` {where}.",
    )  # fmt: skip
    loaded = found["loaded"]
    require(
        loaded["batches"] == 1,
        "then applied a batch of ten known events",
        expected="one pipeline: Redis knows the script now",
        saw=f"{loaded['batches']} calls of `pipeline.execute()`, raised: {loaded['raised']}",
        means="A batch that Redis refuses with NoScriptError is sent a second time. Keep the hash that"
        " `script_load` returns in `self._sha`, and send it with each event: the script is loaded once, not"
        f" for each batch. Look at `apply` and `_send` {where}.",
    )
    _one_pipeline(found["large"], LARGE, 1, "one pipeline for the whole batch")
    refused = found["refused"]
    require(
        refused["raised"] != "nothing" and refused["offset"] == 1,
        "let Redis refuse the script for one of two events (a key of another type)",
        expected="the error, and no new offset",
        saw=f"raised: {refused['raised']}; offset {refused['offset']}",
        means="The effect of one event is missing, but the offset moved past it, so this event is lost."
        " `pipeline.execute()` raises the first error; let it pass, so that `run` reads the batch again. Look"
        f" at `_send` {where}.",
    )
    _same(
        "then let Redis accept it, and applied the same batch again", found["again"],
        {"raised": "nothing", "offset": 3, "entries": 3},
        f"A batch that failed is applied again as a whole; known versions are stale. Look {where}.",
    )  # fmt: skip
    for case, when in (
        ("switched", "between the effects and `_note`"),
        ("between", "between the first command of a pipeline and the second"),
    ):
        seen = found[case]
        require(
            seen["raised"] == "ViewSwitched" and seen["offset"] == 1,
            f"put another view in the place of this one (as ./lab rebuild does) {when}",
            expected="ViewSwitched, and no new offset",
            saw=f"raised: {seen['raised']}; offset {seen['offset']}",
            means="The effects went into the old view, and the offset into the new one, which lacks them. The"
            " generation has to be read before the effects, as the first command of the pipeline, and passed"
            f" to `_note`. Look at `_send` {where}.",
        )


def _one_pipeline(seen: dict[str, Any], size: int, most: int, wanted: str) -> None:
    require(
        seen["batches"] <= most,
        f"applied a batch of {size:,} events",
        expected=wanted,
        saw=f"{seen['batches']} calls of `pipeline.execute()`",
        means="Each call of `execute` waits for an answer of Redis, which makes the projector slow. And if a"
        " batch is sent in parts, each with the offset of the whole batch, a crash between two parts loses"
        " the rest. Call `execute` once for each batch, after the loop of `_send` in projection.py.",
    )


def _same(did: str, seen: dict[str, Any], wanted: dict[str, Any], means: str) -> None:
    there = {**seen, **seen["counters"]}
    shown = {name: there.get(name, 0) for name in wanted}
    require(shown == wanted, did, expected=_told(wanted), saw=_told(shown), means=means)


def _told(result: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in result.items())


SEARCHES = (
    (
        "new", 0, "50 new posts (version 1)",
        "A new post can have no older entry. Search only if the version is above 1.",
    ),
    (
        "known", 0, "50 changes of posts whose hash is there",
        "The hash holds the old entry, so `remove` finds it. Search only if the hash has no version.",
    ),
    (
        "rebuild", 0, "50 posts of version 2 in a view that is being rebuilt (ARGV[7] is '0')",
        "A view that is being rebuilt has no forgotten entries. Search only if ARGV[7] is '1'.",
    ),
    (
        "forgotten", 100, "50 changes of posts whose hash has expired",
        "The entry can still be in a list. `search` has to read both lists, `all` and `own`.",
    ),
)  # fmt: skip


@check(points=1)
@pytest.mark.disturbs
def test_searches_when_needed(lab: Exercise) -> None:
    """Whole lists are searched for a post only if its hash has expired"""
    found = _results(lab)["searches"]
    for case, wanted, events, means in SEARCHES:
        seen = found[case]
        require(
            abs(seen - wanted) < 20,
            f"applied {events}, and counted how often Redis read a whole list (LRANGE)",
            expected=f"{wanted} times",
            saw=f"{seen} times",
            means=f"{means} A search reads up to 1,000 entries while all other clients of Redis wait. Look at"
            " SCRIPT in projection.py.",
        )
