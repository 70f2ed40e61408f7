"""An event that Kafka never takes."""

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
    """An event that Kafka will never take is set aside with its reason; all others go on"""
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
        means="What can never be sent must not wait in front of what can.",
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
        means="Set aside is not thrown away: somebody has to find out why, and send it again.",
    )
