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
from lab08_cqrs.rebuilds import REBUILDS

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
        with beside(lab, "feed", REBUILDS, *words, only=(MODULE,)) as module:
            found: dict[str, Any] = json.loads(module.hear("eight rebuilds of small views", within=40))
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
    broken = found["broken"]
    require(
        broken.get("raised") == "ConnectionError" and not broken["switches"],
        "let MongoDB fail after the third post was read",
        expected="its error, and no attempt to switch",
        saw=f"{broken.get('raised') or 'no error'}, {len(broken['switches'])} attempts",
        means="The new view lacks all posts that were not read. Let the errors of `posts` pass; the live view"
        f" is then as it was. {RUN}",
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
