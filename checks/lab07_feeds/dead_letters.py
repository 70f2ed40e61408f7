"""Events that cannot be read, and how they are sent back."""

import json
import time
from random import Random

import pytest
from grading.events import Post, bury, dead_letters, publish, settled, stats, stranger, titles
from grading.outcome import require
from grading.plugin import check
from grading.system import ENDPOINTS
from grading.tools import tool

from civildiy.contracts.posts.envelope import DEAD_LETTER_TOPIC, POSTS_TOPIC
from civildiy.contracts.posts.topic_reader import Topic


@check(points=3)
@pytest.mark.disturbs
def test_poison_and_unknown_events(rng: Random) -> None:
    """Poison goes to the dead letters with its reason, unknown types are counted, others are applied"""
    before = stats()["counters"]
    mark = f"poison {time.time_ns()}"  # new in each run: dead letters stay on their topic
    after = Post(stranger(rng), "after the poison")
    unknown = json.loads(after.body()) | {"type": "post.applauded", "id": mark}
    broken = json.loads(after.body()) | {"id": mark, "postversion": "many"}
    records = [
        (after.id, mark.encode()),
        (after.id, json.dumps(broken).encode()),
        (after.id, json.dumps(unknown).encode()),
        (after.id, after.body()),
    ]
    with Topic(ENDPOINTS["kafka"], DEAD_LETTER_TOPIC) as dead:
        dead_before = dead.end()
    settled(publish(records))
    seen = titles(after.user)
    did = "two events that cannot be read, one of an unknown type, then a good one"
    means = (
        "One event that cannot be read must not hold up the others. `_apply` in projector.py catches"
        " UnknownType and PoisonEvent for each record."
    )
    require(seen == ["after the poison"], did, expected="the good one in the list", saw=seen, means=means)
    buried = [reason for value, reason in dead_letters() if mark.encode() in value]
    require(
        len(buried) == 2 and all(buried),
        did,
        expected="two dead letters, each with a header 'reason'",
        saw=buried,
        means="An operator has to find out what was wrong, and to send the record back. `_bury` in"
        " projector.py publishes its value, with the headers that `headers_of(record, reason)` returns.",
    )
    with Topic(ENDPOINTS["kafka"], DEAD_LETTER_TOPIC) as dead, Topic(ENDPOINTS["kafka"]) as posts:
        dead.seek(dead_before)
        letters = [letter for letter in dead.until(dead.end()) if mark.encode() in letter.value]
        found = [_origin(posts, dict(letter.headers)) for letter in letters]
    require(
        [letter.key for letter in letters] == [after.id.encode()] * 2
        and found == [letter.value for letter in letters],
        did,
        expected="each dead letter with the key of its record, and headers 'topic', 'partition' and 'offset'"
        " that lead to it",
        saw=[
            f"key {letter.key}, headers {[name for name, _ in letter.headers]}, which lead to"
            f" {'it' if origin == letter.value else 'something else'}"
            for letter, origin in zip(letters, found, strict=True)
        ],
        means="./lab redrive sends the dead letter back to the topic. Without its key it loses its place in"
        " the order of its post. Look at `_bury` in projector.py.",
    )
    now = stats()["counters"]
    difference = {name: now[name] - before[name] for name in ("skipped", "dead")}
    means = (
        "Operators see by the counters `skipped` and `dead` how many records were not applied. `_apply`"
        " in projector.py passes both numbers to `self._projection.apply`."
    )
    require(
        difference == {"skipped": 1, "dead": 2},
        did,
        expected="1 skipped, 2 dead",
        saw=difference,
        means=means,
    )


def _origin(topic: Topic, headers: dict[str, bytes]) -> bytes | None:
    """The record that the headers of a dead letter lead to; None when they lead nowhere."""
    if (headers.get("topic"), headers.get("partition")) != (POSTS_TOPIC.encode(), b"0"):
        return None
    offset = int(headers["offset"]) if headers.get("offset", b"").isdigit() else -1
    if not topic.first() <= offset < topic.end():
        return None
    topic.seek(offset)
    return next((record.value for record in topic.until(offset + 1)), None)


@check(points=2)
@pytest.mark.disturbs
def test_redrive(rng: Random) -> None:
    """./lab redrive applies dead letters that can be read now, and buries poison again"""
    tool("feed-redrive")  # what others left
    good = Post(stranger(rng), "back to life")
    poison = f"poison {time.time_ns()}".encode()
    bury(good.id, good.body(), "a fault that is repaired by now")
    bury(good.id, poison, "not JSON")
    answer = tool("feed-redrive")
    did = "put an event that can be read and one that cannot among the dead letters, then ./lab redrive"
    means = (
        "A dead letter that comes back is an event like all others, and poison goes to the dead letters"
        " again. Look at `_apply` and `_bury` in projector.py."
    )
    require(
        titles(good.user) == ["back to life"],
        did,
        expected="the first one in the list",
        saw=titles(good.user),
        means=means,
    )
    again = [letter["reason"] for letter in answer["dead_again"]]
    buried = [reason for value, reason in dead_letters() if value == poison]
    require(
        again and len(buried) == 2 and all(buried),  # what others left there may be dead again as well
        did,
        expected="the second one dead again, once, with a reason",
        saw=f"{len(again)} dead again; reasons of this poison: {buried}",
        means=means,
    )
    tool("feed-redrive")  # the poison stays dead: nobody sends it back for ever
