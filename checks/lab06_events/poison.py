"""An event that Kafka never accepts."""

import pytest
from bson import ObjectId
from grading.databases import POSTS, mongodb
from grading.outcome import require
from grading.people import Person
from grading.plugin import check
from grading.refusing_kafka import refusing
from grading.topic import listening

from lab06_events.posts import change, write


@check(points=2)
@pytest.mark.disturbs
def test_poison_holds_up_nobody(ada: Person) -> None:
    """An event that Kafka will never accept is parked with its reason; all others are published"""
    did = "let Kafka refuse everything over 40,000 bytes, wrote a post of 80,000 and then two small ones"
    with listening() as topic:
        with refusing(40_000):
            # In a batch of its own: it is larger than a whole batch of the producer.
            big = write(ada, content="\U0001f4a3" * 20_000)
            small = [write(ada), write(ada)]
            change(ada, big, content="few words")
            topic.wait(dict.fromkeys(small, 1) | {big: 2}, within=15)
        seen = {post: [event.version for event in topic.of(post)] for post in (big, *small)}
    require(
        seen == {big: [2], small[0]: [1], small[1]: [1]},
        did,
        expected="the small posts' events, and the next one of the large post",
        saw=seen,
        means="An event that can never be published must not hold up the others. Park it, and go on. Look"
        " at `park` in outbox.py.",
    )
    with mongodb() as client:
        document = client[POSTS][POSTS].find_one({"_id": ObjectId(big)}) or {}
    parked = [
        {name: bytes(value)[:40] if name == "body" else str(value) for name, value in entry.items()}
        for entry in document.get("parked", [])
    ]
    require(
        len(parked) == 1 and all(parked[0].get(name) for name in ("id", "body", "reason")),
        did,
        expected="the event in the post's list 'parked', with id, body and reason",
        saw=f"parked: {parked}",
        means="A parked event must be kept: an operator reads the reason and publishes it again. `park` in"
        " outbox.py adds id, body and reason to the list `parked`.",
    )
