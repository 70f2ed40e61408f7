"""One rebuild in a program beside the system, with a topic and Redis databases of its own."""

import json
import secrets
from typing import Any

import pytest
from grading.learner_process import beside
from grading.outcome import require
from grading.plugin import check
from grading.stack import ENDPOINTS
from kafka.admin import NewTopic

from civildiy.chassis.clients.kafka import admin as admin_client
from lab.course.exercise import Exercise

PROGRAM = """
import json, sys, time
from datetime import UTC, datetime, timedelta
from itertools import count
from types import SimpleNamespace
from bson import ObjectId
from redis import Redis
from civildiy.chassis.clients.kafka import producer
from civildiy.contracts.posts.envelope import encode
from civildiy.contracts.posts.topic_reader import Topic
from civildiy.feed import keys
from civildiy.operations.rebuild import Rebuild
from civildiy.posts.relay.outbox import put_event

redis, kafka, name = sys.argv[1:]
host, _, port = redis.rpartition(":")
live, new = (Redis(host=host, port=int(port), db=number) for number in (12, 13))
sender = producer(kafka)
AT = datetime(2026, 1, 1, tzinfo=UTC)
versions = count(3)

def event(number, version=1):
    document = {
        "_id": ObjectId(f"{number:024x}"), "user_id": 1, "tags": [], "title": f"t{number}", "content": "c",
        "created_at": AT, "updated_at": AT, "expires_at": None, "version": version,
    }
    kind = "post.created" if version == 1 else "post.updated"
    return put_event(kind, document, AT + timedelta(seconds=number), "trace")

def publish(*values):
    for value in values:
        sender.send(name, key=b"k", value=value).get(10)

class Watched(Rebuild):
    # Does not swap: the check says how often the live view is ahead.
    behind, switches, kept = 0, [], 0

    def _switch(self):
        self.switches.append(self._topic.position)
        return len(self.switches) > self.behind

    def _keep_lock(self):
        self.kept += 1
        super()._keep_lock()

def rebuilt(numbers, behind=0, meanwhile=(), patience=20.0, prepare=lambda topic: None, steady=False):
    live.flushdb()
    new.flushdb()
    new.set("of a rebuild that was killed", "1")
    with Topic(kafka, name) as topic:
        prepare(topic)
        end = topic.end()
        rebuild = Watched(live, new, topic, patience)
        rebuild.behind, rebuild.switches = behind, []
        following = []
        real = rebuild._new.apply
        def apply(events, *more):
            real(events, *more)
            if steady and following:  # as many events are published as are applied
                publish(encode(event(1, version=next(versions))))
        rebuild._new.apply = apply
        def posts():
            if meanwhile:
                publish(*meanwhile)
            for number in numbers:
                yield SimpleNamespace(event=event(number))
            following.append(True)
        began = time.monotonic()
        try:
            done = rebuild.run(posts())
            outcome = {"posts": done.posts, "followed": done.followed}
        except Exception as error:
            outcome = {"raised": type(error).__name__, "text": str(error)}
        return {
            **outcome, "seconds": time.monotonic() - began, "kept": rebuild.kept,
            "switches": rebuild.switches, "before": end, "end": topic.end(),
            "offset": int(new.get(keys.OFFSET) or -1), "entries": new.llen(keys.GLOBAL),
            "remains": new.exists("of a rebuild that was killed"),
            "live offset": int(live.get(keys.OFFSET) or -1),
            "changed": b"version\\":2" in b"".join(new.lrange(keys.GLOBAL, 0, -1)),
        }

def another_topic(topic):
    live.set(keys.OFFSET, topic.end() + 1000)

try:
    publish(encode(event(1)), encode(event(2)))
    found = {
        "plain": rebuilt(range(1, 4)),
        "empty": rebuilt(()),
        "meanwhile": rebuilt(range(1, 4), meanwhile=[encode(event(2, version=2))]),
        "poison": rebuilt(range(1, 4), meanwhile=[b"not JSON", b"{}", encode(event(8)), encode(event(9))]),
        "behind": rebuilt(range(1, 4), behind=4),
        "another topic": rebuilt(range(1, 4), prepare=another_topic),
        "steady": rebuilt(range(1, 4), meanwhile=[encode(event(2, version=2))], patience=5.0, steady=True),
    }
    say(json.dumps(found))
    sys.stdin.readline()
    say(json.dumps(rebuilt(range(1, 4), behind=10**9, patience=1.0, steady=True)))
finally:
    live.flushdb()
    new.flushdb()
"""
MODULE = "civildiy.operations.rebuild"
RUN, FOLLOW = "Look at `run` in rebuild.py.", "Look at `_follow` in rebuild.py."
FIRST = "rebuilt a view of three posts"


@check(points=3)
@pytest.mark.disturbs
def test_rebuild_step_by_step(lab: Exercise) -> None:
    """A rebuild starts with an empty view, notes its offset, follows the topic, and gives up in time"""
    name = f"checks-{secrets.token_hex(6)}"
    admin = admin_client(ENDPOINTS["kafka"], bootstrap_timeout_ms=5000)
    try:
        admin.create_topics([NewTopic(name, 1, 1)])
        words = (ENDPOINTS["redis"], ENDPOINTS["kafka"], name)
        with beside(lab, "feed", PROGRAM, *words, only=(MODULE,)) as module:
            found: dict[str, Any] = json.loads(module.hear("seven rebuilds of small views", within=40))
            _judge(found)
            module.tell("go on")
            did = (
                "rebuilt a view with a patience of 1 s, while the live view was always ahead and events kept"
                " arriving"
            )
            late: dict[str, Any] = json.loads(
                module.hear(
                    f"the rebuild to give up; the check {did}", within=8,
                    means="A rebuild without a time limit holds its lock for ever. The time counts from the"
                    f" call of `_follow`, whatever arrives meanwhile. {FOLLOW}",
                )
            )  # fmt: skip
        require(
            late.get("raised") == "RebuildFailed" and late["seconds"] >= 1,
            did,
            expected="RebuildFailed after 1 s (`self._patience`)",
            saw=f"{late.get('raised') or 'a switch'} after {late['seconds']:.1f} s",
            means=f"The rebuild has to try until its patience is over, and then to say why"
            f" it failed. {FOLLOW}",
        )
    finally:
        admin.delete_topics([name])
        admin.close()


def _judge(found: dict[str, Any]) -> None:
    plain = found["plain"]
    _result(FIRST, plain, {"posts": 3, "followed": 0, "entries": 3}, f"It returns what was done. {RUN}")
    require(
        not plain["remains"],
        f"{FIRST}, after a rebuild that was killed had left a key in the new database",
        expected="that key to be gone",
        saw="the key in the new view",
        means=f"What another rebuild left would become a part of the live view. Call `_empty()` first. {RUN}",
    )
    empty = found["empty"]
    require(
        empty["offset"] == empty["before"],
        "rebuilt a view while MongoDB had no posts",
        expected=f"the end of the topic, {empty['before']}, as the offset of the new view",
        saw=empty["offset"] if empty["offset"] >= 0 else empty.get("raised") or "no offset",
        means="After the switch the projector goes on at this offset. Without one it reads the whole topic,"
        f" and brings deleted posts back. Call `self._new.apply([], self._topic.position, 0, 0)`. {RUN}",
    )
    changed = "published version 2 of a post when the first post was read from MongoDB"
    meanwhile = found["meanwhile"]
    require(
        meanwhile["changed"],
        changed,
        expected="version 2 in the new view, and 1 followed event",
        saw=f"version {1 + meanwhile['changed']}, {meanwhile.get('followed')} followed events",
        means="The change is neither in the posts, which were read already, nor in what the rebuild followed."
        f" Take the end of the topic before the first post is read. {RUN}",
    )
    _result(
        changed, meanwhile, {"posts": 3, "followed": 1, "offset": meanwhile["end"]},
        f"The offset of the new view is the position of the topic after the events that"
        f" were applied. {FOLLOW}",
    )  # fmt: skip
    require(
        all(position >= meanwhile["end"] for position in meanwhile["switches"]),
        changed,
        expected=f"no attempt to switch before the new view is at offset {meanwhile['end']}",
        saw=f"an attempt at offset {min(meanwhile['switches'], default=0)}",
        means=f"Readers would see the old version again. Follow up to the end that you noted first. {FOLLOW}",
    )
    _result(
        "published a record that is no JSON, one with a missing field, and two good events during a rebuild",
        found["poison"], {"posts": 3, "followed": 2, "entries": 5},
        "A record that cannot be read must not end the rebuild; the projector sends it to the dead letters."
        f" `_usable` leaves such records out. {FOLLOW}",
    )  # fmt: skip
    behind = found["behind"]
    require(
        len(behind["switches"]) == 5 and "raised" not in behind,
        f"{FIRST}, and let the live view be ahead at the first four attempts to switch",
        expected="a fifth attempt",
        saw=f"{len(behind['switches'])} attempts, {behind.get('text') or 'and an end'}",
        means=f"The live view is often ahead for a moment. Go on until `_switch()` returns True. {FOLLOW}",
    )
    require(
        behind["kept"] >= 5,
        f"{FIRST}, and let the live view be ahead at the first four attempts to switch",
        expected="`_keep_lock()` in each turn",
        saw=f"{behind['kept'] - 1} calls of it in four turns",
        means=f"The lock expires after 20 s. Then a second rebuild begins in the same database. {FOLLOW}",
    )
    steady = found["steady"]
    require(
        "raised" not in steady,
        "published one more event after each batch that a rebuild applied, as users do who keep writing",
        expected="a switch",
        saw=steady.get("text", "a switch"),
        means="The end of the topic moves on, so a rebuild that asks for it in each turn never reaches it."
        f" Note `self._topic.end()` once, before the loop. {FOLLOW}",
    )
    another = found["another topic"]
    require(
        another["live offset"] < 0,
        f"{FIRST}, while the live view was at an offset 1,000 after the end of the topic",
        expected="this offset to be removed, as it belongs to an earlier topic",
        saw=f"the live view is at {another['live offset']}, the topic ends at {another['end']}",
        means="The new view can never reach that offset, so no rebuild would ever switch. Call"
        f" `_forget_another_topic()` before you seek. {RUN}",
    )


def _result(did: str, seen: dict[str, Any], wanted: dict[str, int], means: str) -> None:
    shown = {key: seen.get(key, seen.get("raised", "")) for key in wanted}
    require(shown == wanted, did, expected=wanted, saw=shown, means=means)
