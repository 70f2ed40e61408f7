"""What the relay takes out of the outbox: which events it offers, marks and parks."""

import time

from bson import ObjectId
from grading.outcome import require
from grading.plugin import check

from lab.course.exercise import Exercise
from lab06_events.probe import Probe, probe

HELD_SECONDS = 0.4
STAYS = (
    "The event was acknowledged and is still in the outbox, so the relay publishes it in each turn, and the"
    " deletion behind it never follows. `bulk_write` gets `_taken_out(event)` for each event in `sent`, also"
    " for those of a deleted post, which may have more than one. Look at `mark_sent` in outbox.py."
)


@check(points=3)
def test_one_head_per_post(lab: Exercise) -> None:
    """heads() returns the oldest pending event of each post, least recently changed posts first"""
    with probe(lab) as module:
        younger = module.post("a1", "a2", "a3", minutes=3)
        older = module.post("b1", minutes=5)
        module.post(minutes=9)
        removed = module.post("d2", "d3", minutes=1, deleted=True)
        did = "stored posts with three, one, no and two (deleted) waiting events, and called heads(10)"
        _same(
            module.call("heads", 10),
            [[older, "b1"], [younger, "a1"], [removed, "d2"]],
            did,
        )
        _same(
            module.call("heads", 2),
            [[older, "b1"], [younger, "a1"]],
            did.replace("heads(10)", "heads(2)"),
        )
        module.call("mark", [younger, "a1"])
        _same(
            module.call("heads", 10),
            [[older, "b1"], [younger, "a2"], [removed, "d2"]],
            f"{did}; then marked 'a1' as sent and called heads(10) again",
        )
        module.posts.insert_many([{"settled": False}, {"_id": "of another program", "settled": False}])
        wanted, seen = [[older, "b1"], [younger, "a2"], [removed, "d2"]], module.call("heads_or_error", 10)
        require(
            seen == wanted,
            f"{did}; then stored two documents of another program (`settled` false, no outbox) and called"
            " heads(10) again",
            expected="the same events as before",
            saw=seen,
            means="One document that holds no event ends the relay with this error, and again after each"
            " restart. The filter `_OWING` finds only documents with a pending event. Look at `heads` in"
            " outbox.py.",
        )


def _same(seen: list[list[str]], wanted: list[list[str]], did: str) -> None:
    posts = [post for post, _ in seen]
    if len({*posts}) < len(posts):
        means = (
            "Several events of one post are on their way at once. When the first one fails and the"
            " second does"
            " not, they arrive in the wrong order, and readers see an old state of the post. Offer only the"
            " oldest event of each post."
        )
    elif sorted(seen) == sorted(wanted):
        means = (
            "The least recently changed posts come first (by `updated_at`). In another order, posts that"
            " change often keep the others waiting. Look at `heads` in outbox.py."
        )
    elif {*posts} == {post for post, _ in wanted}:
        means = "It has to be the oldest waiting event of each post, which is the first one in its outbox."
    else:
        means = (
            "`limit` is the number of posts, and each post with a waiting event counts, also a deleted"
            " one. Posts"
            " whose outbox is empty are not offered."
        )
    require(
        seen == wanted,
        did,
        expected=f"the events {[event for _, event in wanted]}, each with its post",
        saw=[event for _, event in seen],
        means=means,
    )


@check(points=3)
def test_marking_while_the_post_changes(lab: Exercise) -> None:
    """Marking an event takes out this event only, whatever is added meanwhile"""
    with probe(lab) as module:
        for name, words, did in (
            ("mark", (), "marked the only event of a post as sent"),
            ("park", ("too large",), "parked the only event of a post"),
        ):
            post = module.post("e1")
            _while_an_event_is_added(module, post, name, words)
            left(
                module, post, ["e2"], f"{did}, while a change of the post added another event",
                "The added event was lost: your code read the list and wrote it back, and a change came in"
                " between. One update has to take the event out of the list as it is at that moment.",
            )  # fmt: skip
            module.call(name, *((post, "e1", *words) if words else ([post, "e1"],)))
            left(
                module, post, ["e2"], f"{did}, another event was added, and did the same again",
                "The first event was out already, so nothing may change. A relay that dies between sending"
                " and marking does all of it twice. Take an event out by its id, not by its place.",
            )  # fmt: skip
        one, other, third = module.post("x1", "x2"), module.post("y1"), module.post("z1")
        module.call("mark", [one, "x1"], [other, "y1"])
        for post, wanted in ((one, ["x2"]), (other, []), (third, ["z1"])):
            left(
                module, post, wanted,
                "stored three posts, with two, one and one waiting events, and marked the first event of the"
                " first two posts as sent",
                "What was sent leaves the outbox, and nothing else. A post is `settled` when its outbox is"
                " empty, and only then: MongoDB may delete settled posts.",
            )  # fmt: skip
        module.ask("mark")
        module.answer(
            "mark_sent([]) to return: no event was acknowledged",
            raised="`bulk_write` raises for an empty list. When no event of a batch was acknowledged, there"
            " is nothing to mark: return at once. Look at `mark_sent` in outbox.py.",
        )
        removed = module.post("d2", "d3", deleted=True)
        module.call("mark", [removed, "d2"])
        did = "marked the first of two waiting events of a deleted post as sent"
        means = (
            "A deleted post may leave MongoDB only with its last event; before that, an event would be"
            " lost. Look at `mark_sent` in outbox.py."
        )
        left(module, removed, ["d3"], did, means, STAYS)
        module.call("mark", [removed, "d2"])
        left(module, removed, ["d3"], f"{did}, and did so once more", means)
        module.call("mark", [removed, "d3"])
        require(
            module.left(removed) is None,
            f"{did}, then the second one",
            expected="no document of it in MongoDB",
            saw=module.left(removed),
            means="The last event of a deleted post was published, so nothing needs its document any more,"
            " and nothing else deletes it. Look at `mark_sent` in outbox.py.",
        )
        _mixed_batch(module)
        sent, last = module.post("s1"), module.post("l1", deleted=True)
        for event, did, expected, means in (
            (
                [sent, "s1"], "marked the only event of a post as sent",
                "which removes the event from `outbox` and sets `settled`",
                "A relay that dies between two writes leaves an empty outbox and `settled` False. heads()"
                " returns no such post, so nothing settles it later, and MongoDB does not delete it when it"
                " expires. `_taken_out(event)` does both at once. Look at `mark_sent` in outbox.py.",
            ),
            (
                [last, "l1"], "marked the only event of a deleted post as sent", "which removes the document",
                "A relay that dies between two writes leaves a deleted post with an empty outbox. heads()"
                " never returns it, so its document stays for ever. Call `delete_many` first, while the event"
                " is still in the outbox. Look at `mark_sent` in outbox.py.",
            ),
        ):  # fmt: skip
            one_write(module, "mark", (event,), did, expected, means)


def _mixed_batch(module: Probe) -> None:
    """Events of posts that exist and of posts that are deleted, in one batch."""
    kept, gone = module.post("m1"), module.post("m2", deleted=True)
    waits, last = module.post("m3", "m4", deleted=True), module.post("m5")
    module.call("mark", [kept, "m1"], [gone, "m2"], [waits, "m3"], [last, "m5"])
    did = (
        "marked in one batch the only event of a post, the only event of a deleted post, the first of two"
        " events of another deleted post, and the only event of a fourth post"
    )
    require(
        module.left(gone) is None,
        did,
        expected="no document of the second post in MongoDB",
        saw=module.left(gone),
        means="A batch usually holds events of both kinds. Each deleted post whose last event was sent has to"
        " be removed, whatever else is in the batch: nothing removes it later. Look at `mark_sent` in"
        " outbox.py.",
    )
    means = "Only a deleted post whose last event was sent is removed. Look at `mark_sent` in outbox.py."
    for post in (kept, last):
        left(module, post, [], did, means)
    left(module, waits, ["m4"], did, means, STAYS)


def _while_an_event_is_added(module: Probe, post: str, name: str, words: tuple[str, ...]) -> None:
    """Call `name` for 'e1' while a transaction adds 'e2': reads see the old list, writes have to wait."""
    here, added = {"_id": ObjectId(post)}, {"$push": {"outbox": {"id": "e2", "body": b"e2"}}}
    with module.database.client.start_session() as session, session.start_transaction():
        module.posts.update_one(here, added, session=session)
        module.ask(name, *((post, "e1", *words) if words else ([post, "e1"],)))
        time.sleep(HELD_SECONDS)
    module.answer(f"{name}() to return")


def left(module: Probe, post: str, wanted: list[str], did: str, means: str, stays: str = "") -> None:
    """Require these events in the outbox. `stays`: what it means that another one is there as well."""
    expected, seen = {"outbox": wanted, "settled": not wanted}, module.left(post)
    if stays and seen and {*wanted} < {*seen["outbox"]}:
        means = stays
    if seen and seen["outbox"] == wanted and wanted:
        means = (
            "`settled` says that no event waits, but one does. heads() leaves settled posts out, so this"
            " event is"
            " never published, and MongoDB may delete the post before. Set it only when the outbox is empty."
        )
    require(
        seen == expected,
        did,
        expected=f"in the post's document {expected}",
        saw=seen or "no document",
        means=means,
    )


def one_write(
    module: Probe, name: str, words: tuple[object, ...], did: str, expected: str, means: str
) -> None:
    """Call `name`, and require that one write changes or removes a document, as MongoDB's profiler says."""
    profile = module.database["system.profile"]
    profile.drop()
    module.database.command("profile", 2)
    try:
        module.call(name, *words)
    finally:
        module.database.command("profile", 0)
    changing = {"$or": [{"nModified": {"$gt": 0}}, {"ndeleted": {"$gt": 0}}]}
    writes = profile.count_documents({"ns": f"{module.database.name}.posts", **changing})
    require(
        writes == 1,
        f"{did}, and read MongoDB's profiler",
        expected=f"one write, {expected}",
        saw=f"{writes} writes that changed or removed the document",
        means=means,
    )
