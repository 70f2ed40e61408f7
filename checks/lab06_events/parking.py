"""Events that Kafka will never accept: what the outbox keeps of them."""

from bson import ObjectId
from grading.outcome import require
from grading.plugin import check

from lab.course.exercise import Exercise
from lab06_events.marking import left, one_write
from lab06_events.probe import probe


@check(points=1)
def test_parked_events_are_kept(lab: Exercise) -> None:
    """Each parked event is kept with its id, its body and the reason"""
    with probe(lab) as module:
        post = module.post("p1", "p2", "p3")
        module.call("park", post, "p1", "too large")
        module.call("park", post, "p2", "$also too large")
        found = module.posts.find_one({"_id": ObjectId(post)}) or {}
        seen = [
            (e.get("id"), bytes(e.get("body", b"")).decode(), e.get("reason"))
            for e in found.get("parked", [])
        ]
        require(
            seen == [("p1", "p1", "too large"), ("p2", "p2", "$also too large")],
            "parked two of three waiting events of a post, one after the other",
            expected="both in the list `parked`, each with id, body and reason",
            saw=seen,
            means="A parked event must be kept: an operator reads the reason and publishes it again. The"
            " second one is added to the list `parked`. Look at `park` in outbox.py.",
        )
        left(module, post, ["p3"], "parked two of three waiting events of a post", "The third one waits.")
        post = module.post("q1")
        one_write(
            module, "park", (post, "q1", "too large"), "parked the only event of a post",
            "which removes the event from `outbox` and adds it to `parked`",
            "A relay that dies between two writes loses the event, because it is in no list then. Pass"
            ' `[{"$set": {"parked": _appended(parked)}}]` as the second argument of `_taken_out`. Look at'
            " `park` in outbox.py.",
        )  # fmt: skip
