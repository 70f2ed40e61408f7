"""The script and the entry, run by the check itself, in a Redis database of its own."""

import json
from typing import Any

import pytest
from grading.learner_process import beside
from grading.outcome import require
from grading.plugin import check
from grading.stack import ENDPOINTS

from lab.course.exercise import Exercise

PROGRAM = """
import json, sys
from redis import Redis
from redis.exceptions import ResponseError
from civildiy.feed.projector.projection import SCRIPT

host, _, port = sys.argv[1].rpartition(":")
redis = Redis(host=host, port=int(port), db=11)
ALL, LISTS, HASH = "all", 700, 900

def entry(number, time, text="t"):
    return (
        f'{{"timestamp":"{time:027}","event_id":"{time:036}","post_id":"{number:024x}","title":"{text}"}}'
    ).encode()

def run(number, version, body=b"", user=1, search="1", most=(5, 3)):
    said = redis.eval(
        SCRIPT, 3, ALL, f"own:{user}", f"post:{number:024x}", version, body, *most, LISTS, HASH, search,
    )
    return said.decode()

def shown(key):
    return [int(json.loads(item)["post_id"], 16) for item in redis.lrange(key, 0, -1)]

def state(number=1):
    post = f"post:{number:024x}"
    known = {name.decode(): value.decode()[:40] for name, value in redis.hgetall(post).items()}
    return {
        "all": shown(ALL), "own": shown("own:1"), "version": known.get("version"), "entry": "entry" in known,
        "expiries": [redis.ttl(ALL), redis.ttl("own:1"), redis.ttl(post)],
    }

def aged(number=1):
    for key in (ALL, "own:1", f"post:{number:024x}"):
        redis.expire(key, 50)

found = {}
try:
    redis.flushdb()
    found["new"] = {"said": run(1, 1, entry(1, 10)), **state()}
    aged()
    found["changed"] = {"said": run(1, 2, entry(1, 20, "new")), **state()}
    aged()
    found["same"] = {"said": run(1, 2, entry(1, 30)), **state()}
    found["late"] = {"said": run(1, 1, entry(1, 40)), **state()}
    for number in (2, 3):
        run(number, 1, entry(number, 20 + number))
    aged()
    found["removed"] = {"said": run(1, 3), **state()}
    aged()
    found["after removal"] = {"said": run(1, 2, entry(1, 50)), **state()}
    found["back"] = {"said": run(1, 4, entry(1, 60, "back")), **state()}
    redis.flushdb()
    for number in range(1, 10):
        run(number, 1, entry(number, number), user=1 + number % 2)
    found["full"] = {"said": "", **state()}
    found["older"] = {"said": run(20, 1, entry(20, 0)), **state()}
    redis.flushdb()
    for number in range(1, 4):
        run(number, 1, entry(number, number))
    redis.delete(f"post:{2:024x}")
    found["forgotten change"] = {"said": run(2, 4, entry(2, 9, "new")), **state(2)}
    redis.delete(f"post:{3:024x}")
    found["forgotten removal"] = {"said": run(3, 4), **state(3)}
    redis.flushdb()
    found["ten"] = {"said": run(1, 9, entry(1, 1)) + " " + run(1, 10, entry(1, 2)), **state()}
    found["nine"] = {"said": run(1, 9, entry(1, 3)), **state()}
    redis.flushdb()
    found["unknown removal"] = {"said": run(1, 5), **state()}
    found["older than it"] = {"said": run(1, 4, entry(1, 1)), **state()}
    redis.flushdb()
    redis.set("own:1", "not a list")
    try:
        run(1, 1, entry(1, 1))
        found["failed"] = {"said": "no error"}
    except ResponseError:
        redis.delete("own:1")
        found["failed"] = {"said": run(1, 1, entry(1, 1)), **state()}
finally:
    redis.flushdb()
say(json.dumps(found))
"""
MODULE = "civildiy.feed.projector.projection"
NEWER = "Compare the versions first, with `tonumber`: the same or a lower one is stale and changes nothing."
PLACE = "A changed post leaves its old place: remove the entry that the hash holds from both lists first."
TRIM = "Insert, then shorten: LTRIM keeps both ends, so `0, ARGV[3] - 1` and `0, ARGV[4] - 1` are right."
FORGOTTEN = (
    "The hash had expired while the entry was still in the lists. Without a version in the hash, and with a"
    " version above 1, call `search` for both lists, also for a removal."
)
TOMB = (
    "A removal deletes the field `entry` and sets `version`, also for a post that the view does not know. The"
    " version stays, so that a late event is recognised as stale."
)
AGAIN = (
    "Redis does not undo what a script did before an error. Set `entry` before the inserts and `version`"
    " after them. Then the next attempt is not stale, and it removes what the failed one has inserted."
)
LATER = (
    "Only the version decides: a higher one is applied, also if the hash holds no entry. Insert the entry"
    " into both lists."
)
CASES: tuple[tuple[str, str, dict[str, Any], str], ...] = (
    ("new", "version 1 of a new post",
     {"said": "applied", "all": [1], "own": [1], "version": "1", "entry": True},
     "A new post is put into both lists, and its hash keeps its version and its entry."),
    ("changed", "version 2 of this post", {"said": "applied", "all": [1], "own": [1], "version": "2"}, PLACE),
    ("same", "version 2 once more", {"said": "stale", "all": [1], "own": [1], "version": "2"}, NEWER),
    ("late", "its version 1 a second time", {"said": "stale", "all": [1], "own": [1], "version": "2"}, NEWER),
    ("removed", "the removal of one of three posts",
     {"said": "applied", "all": [3, 2], "own": [3, 2], "version": "3", "entry": False}, TOMB),
    ("after removal", "an older version of the removed post",
     {"said": "stale", "all": [3, 2], "version": "3", "entry": False}, TOMB),
    ("back", "a later version of the removed post",
     {"said": "applied", "all": [1, 3, 2], "own": [1, 3, 2], "version": "4", "entry": True}, LATER),
    ("full", "nine posts of two users, with limits of 5 and 3",
     {"all": [9, 8, 7, 6, 5], "own": [8, 6, 4]}, TRIM),
    ("older", "a post that is older than all in a full list",
     {"said": "applied", "all": [9, 8, 7, 6, 5], "own": [8, 6, 4]}, TRIM),
    ("forgotten change", "version 4 of a post whose hash has expired",
     {"said": "applied", "all": [2, 3, 1], "own": [2, 3, 1], "version": "4"}, FORGOTTEN),
    ("forgotten removal", "the removal of a post whose hash has expired",
     {"said": "applied", "all": [2, 1], "own": [2, 1], "version": "4", "entry": False}, FORGOTTEN),
    ("ten", "version 9, and then version 10 of a post",
     {"said": "applied applied", "all": [1], "version": "10"}, NEWER),
    ("nine", "version 9 after version 10", {"said": "stale", "all": [1], "version": "10"}, NEWER),
    ("unknown removal", "the removal of a post that the view does not know",
     {"said": "applied", "all": [], "version": "5", "entry": False}, TOMB),
    ("older than it", "an older version of this post", {"said": "stale", "all": [], "version": "5"}, TOMB),
    ("failed", "a new post, with an error of Redis at the author's list, and then for the same event again",
     {"said": "applied", "all": [1], "own": [1], "version": "1", "entry": True}, AGAIN),
)  # fmt: skip
LISTS, HASH, AGED = 700, 900, 50


@check(points=3)
@pytest.mark.disturbs
def test_script_step_by_step(lab: Exercise) -> None:
    """The script decides by the version, edits both lists and the hash, shortens and renews them"""
    with beside(lab, "feed-projector", PROGRAM, ENDPOINTS["redis"], only=(MODULE,)) as module:
        found: dict[str, Any] = json.loads(module.hear("your SCRIPT to apply some events", within=20))
    for case, what, wanted, means in CASES:
        seen = {name: found[case][name] for name in wanted}
        require(
            seen == wanted,
            f"ran SCRIPT for {what}",
            expected=_told(wanted),
            saw=_told(seen),
            means=f"{_reason(seen, wanted) or means} Look at SCRIPT in projection.py.",
        )
    for case, what in (("late", "a stale event"), ("after removal", "a stale event of a removed post")):
        seen_expiries = found[case]["expiries"]
        require(
            all(0 < seconds <= AGED for seconds in seen_expiries),
            f"let the expiry of both lists and of a post's hash go down to {AGED} s, then ran SCRIPT for"
            f" {what}",
            expected=f"at most {AGED} s for both lists and for the hash: nothing has changed",
            saw=f"{seen_expiries} (-1: no expiry)",
            means="A stale event changes nothing, so it renews no expiry either. Otherwise events that are"
            " delivered again keep the hashes of old posts in Redis for ever. Return 'stale' before all other"
            " commands that write. Look at SCRIPT in projection.py.",
        )
    for case, what in (("changed", "a change"), ("removed", "a removal")):
        seen_expiries = found[case]["expiries"]
        require(
            seen_expiries == [LISTS, LISTS, HASH],
            f"let the expiry of both lists and of a post's hash go down to 50 s, then ran SCRIPT for {what}"
            f" of this post, with ARGV[5] {LISTS} and ARGV[6] {HASH}",
            expected=f"{LISTS} s for both lists and {HASH} s for the hash",
            saw=f"{seen_expiries} (-1: no expiry)",
            means="Each applied event renews all three by `renew()`, a removal as well. The hash has to live"
            " longer than the lists, or late events are believed. Look at the end of"
            " SCRIPT in projection.py.",
        )


def _reason(seen: dict[str, Any], wanted: dict[str, Any]) -> str:
    """The meaning of an event of an unknown post that is called stale."""
    if (seen.get("said"), wanted.get("said")) == ("stale", "applied") and seen.get("version", "") is None:
        return (
            "Only the version in the hash makes an event stale. Without a hash nothing is stale, neither a"
            " change nor a removal: both set `version`, by which later copies are recognised."
        )
    return ""


def _told(result: dict[str, Any]) -> str:
    names = {"said": "returned", "all": "global list", "own": "user's list", "entry": "entry in the hash"}
    return ", ".join(f"{names.get(name, name)} {value}" for name, value in result.items())
