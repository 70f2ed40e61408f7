"""The script that decides whether a rebuild may switch, run on keys of the check's own."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from grading.events import redis
from grading.learner_process import beside
from grading.outcome import require, wrong
from grading.plugin import check
from grading.stack import ENDPOINTS
from redis import Redis

from lab.course.exercise import Exercise

PROGRAM = """
import json
from civildiy.operations.rebuild import SWITCH
say(json.dumps(SWITCH))
"""
MODULE = "civildiy.operations.rebuild"
NUMBER = 15
"""A Redis database that nothing else uses."""
LOCK, OFFSET, MARK = "checks:lock", "checks:offset", "checks:beside"
KEPT = ("checks:kept:1", "checks:kept:2", "checks:kept:3")
EXPIRES, ABSENT = "checks:kept:4", "checks:kept:5"
"""A key with an expiry, as the projector's sign of life is, and one that does not exist."""
LIFETIMES = LOCK_SECONDS, LIFE_SECONDS = 60, 40
LATE = 20
"""Seconds that may pass on a slow machine between the SET of a key and a look at its expiry."""
ME, OTHER = "this rebuild", "another rebuild"
NEW_OFFSET = "of the new view"
WHERE = "Look at `SWITCH` in rebuild.py."

DECISIONS: tuple[tuple[str, str | None, str | None, int, str, str], ...] = (
    (
        "another rebuild holds the lock", OTHER, "5", 9, "lost",
        "The lock holds another owner's name, so this rebuild must not touch the live view. Compare"
        " `redis.call('GET', KEYS[1])` with ARGV[1] first.",
    ),
    (
        "the lock has expired", None, "5", 9, "lost",
        "Without the lock another rebuild may begin at any moment. A missing key is `false` in Lua, which is"
        " not equal to ARGV[1].",
    ),
    (
        "the live view is at offset 10, the new view at 9", ME, "10", 9, "behind",
        "The live view has applied an event that the new view lacks, so readers would see it vanish. Compare"
        " with `tonumber(…)`: as text, '10' is smaller than '9'.",
    ),
    (
        "the live view is at offset 1000, the new view at 0", ME, "1000", 0, "behind",
        "The new view lacks 1,000 events. Only a view that is not behind may be switched to.",
    ),
)  # fmt: skip
SWITCHES: tuple[tuple[str, str | None, int, str], ...] = (
    (
        "the live view is at offset 9, the new view at 10", "9", 10,
        "The new view is ahead, so nothing is lost. Compare with `tonumber(…)`: as text, '9' is greater than"
        " '10'.",
    ),
    (
        "both views are at offset 10", "10", 10,
        "A view with the same offset is not behind. If the script waits for more, a rebuild never ends while"
        " nobody writes.",
    ),
    (
        "the live view has no offset, the new view has 0", None, 0,
        "An empty live view has no offset; it counts as 0. In Lua: `tonumber(redis.call('GET',"
        " KEYS[2]) or 0)`.",
    ),
)  # fmt: skip


@contextmanager
def prepared(client: Redis, owner: str | None, offset: str | None) -> Iterator[None]:
    """Keys of the check in the live database and in another one, both as before in the end."""
    host, _, port = ENDPOINTS["redis"].rpartition(":")
    other = Redis(host=host, port=int(port), db=NUMBER, socket_timeout=5)
    names = (LOCK, OFFSET, MARK, *KEPT, EXPIRES)
    other.flushdb()
    client.delete(*names)
    other.set(MARK, "1")
    other.hset(KEPT[0], "applied", 1)  # an old value, which must be replaced
    other.set(OFFSET, NEW_OFFSET)
    for name, value in ((LOCK, owner), (OFFSET, offset)):
        if value is not None:
            client.set(name, value, ex=LOCK_SECONDS)
    client.set(EXPIRES, "alive", ex=LIFE_SECONDS)
    for number, name in enumerate(KEPT):
        client.hset(name, "applied", 7 + number)
    try:
        yield
    finally:
        if client.exists(MARK):  # the two databases are exchanged
            client.swapdb(0, NUMBER)
        client.delete(*names)
        other.flushdb()
        other.close()


def _failed(did: str, answer: object) -> None:
    if isinstance(answer, Exception):
        wrong(did, expected="an answer", saw=f"{type(answer).__name__}: {answer}",
              means=f"Redis could not run the script to its end. {WHERE}")  # fmt: skip


@check(points=3)
@pytest.mark.disturbs
def test_switch_script(lab: Exercise) -> None:
    """The script decides by the lock and by both offsets, and takes over what the new view lacks"""
    with beside(lab, "feed", PROGRAM, only=(MODULE,)) as module:
        script = json.loads(module.hear("SWITCH, imported from rebuild.py"))
    names = (LOCK, OFFSET, ABSENT, EXPIRES, *KEPT)
    with redis() as client:
        for state, owner, offset, position, wanted, means in DECISIONS:
            did = f"ran SWITCH while {state}"
            with prepared(client, owner, offset):
                pipeline = client.pipeline(transaction=False)
                pipeline.eval(script, len(names), *names, ME, position, NUMBER)
                (said,) = pipeline.execute(raise_on_error=False)
                swapped = bool(client.exists(MARK))
            _failed(did, said)
            require(
                said == wanted.encode() and not swapped,
                did,
                expected=f"the answer '{wanted}', and no swap",
                saw=f"{said!r}, and {'the swap' if swapped else 'no swap'}",
                means=f"{means} {WHERE}",
            )
        for state, offset, position, means in SWITCHES:
            did = f"ran SWITCH while this rebuild holds the lock and {state}"
            with prepared(client, ME, offset):
                said, marked, lock, noted, alive, *more = _switched(client, script, names, position)
            expiries, kept = more[:2], more[2:]
            _failed(did, said)
            require(
                said == b"switched" and marked,
                did,
                expected="the answer 'switched', and the new view in database 0",
                saw=f"{said!r}, and {'the new' if marked else 'the old'} view in database 0",
                means=f"{means} {WHERE}",
            )
            require(
                lock == ME.encode(),
                did,
                expected="the lock in the new view as well",
                saw="no lock" if lock is None else f"a lock of {lock!r}",
                means="The old view is still to be emptied. Without the lock in the new view, another rebuild"
                f" begins in the same database. {WHERE}",
            )
            require(
                noted == NEW_OFFSET.encode(),
                did,
                expected="the offset of the new view in database 0",
                saw=f"{noted!r}, as in the old view",
                means="The projector goes on at this offset, so it has to be the new view's own. Copy the"
                f" lock and the keys from KEYS[3] on, but not KEYS[2]. {WHERE}",
            )
            require(
                kept == [{b"applied": b"%d" % (7 + number)} for number in range(len(KEPT))],
                f"{did}; gave it {len(KEPT)} keys to take over, from KEYS[3] on",
                expected="all of them in the new view, with the values of the live one",
                saw=kept,
                means="The counters and the projector's heartbeat are stored in the live view only. COPY each"
                f" key from KEYS[3] to KEYS[#KEYS] with REPLACE before SWAPDB. {WHERE}",
            )
            require(
                alive == b"alive",
                f"{did}; gave it a key that holds a text, behind one that does not exist",
                expected="its text in the new view",
                saw=repr(alive),
                means="The keys have different types, and a key may be missing, which is no error. COPY takes"
                f" over any key as it is. {WHERE}",
            )
            require(
                all(most - LATE < left <= most for most, left in zip(LIFETIMES, expiries, strict=True)),
                f"{did}; the lock expired in {LOCK_SECONDS} s, and one of the other keys in {LIFE_SECONDS} s",
                expected="the same expiries in the new view",
                saw=", ".join("no expiry" if left < 0 else f"{left} s" for left in expiries),
                means="A lock without an expiry stays for ever if its rebuild is killed, and no other rebuild"
                " can begin. A sign of life without one says `running` for ever. COPY keeps the expiry of a"
                f" key; SET and RESTORE do not, unless you pass it on. {WHERE}",
            )


def _switched(client: Redis, script: str, names: tuple[str, ...], position: int) -> list[Any]:
    """Run the script, look at database 0, and swap back, in one transaction: no reader sees the swap."""
    pipeline = client.pipeline(transaction=True)
    pipeline.eval(script, len(names), *names, ME, position, NUMBER)
    pipeline.exists(MARK)
    pipeline.get(LOCK)
    pipeline.get(OFFSET)
    pipeline.get(EXPIRES)
    pipeline.ttl(LOCK)
    pipeline.ttl(EXPIRES)
    for name in KEPT:
        pipeline.hgetall(name)
    pipeline.swapdb(0, NUMBER)
    return list(pipeline.execute(raise_on_error=False))[:-1]
