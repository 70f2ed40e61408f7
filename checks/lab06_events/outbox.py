"""The outbox: what a change writes into it, and what the relay takes out of it."""

import time
from typing import Any

import pytest
from bson import ObjectId
from grading.answers import parsed
from grading.databases import POSTS, mongodb
from grading.outcome import require
from grading.people import Person, said
from grading.plugin import check
from grading.system import eventually, paused
from grading.topic import RELAY

from civildiy.posts.relay.outbox import MAX_WAITING
from lab06_events.posts import change, write
from lab06_events.probe import Probe, probe
from lab.course.exercise import Exercise

HELD_SECONDS = 0.4


def events_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The events in a post's outbox, decoded."""
    bodies = [bytes(entry["body"]) for entry in document.get("outbox", [])]
    return [parsed(body, "read an event from a post's outbox in MongoDB", "posts") for body in bodies]


@check(points=3)
@pytest.mark.disturbs
def test_outbox_keeps_every_change(ada: Person) -> None:
    """Each change adds its event to the outbox, and a deleted post's text is gone at once"""
    removed = write(ada, content="secret text", tags=["secret"])
    with mongodb() as client:
        posts = client[POSTS][POSTS]

        def found(post: str) -> dict[str, Any]:
            return posts.find_one({"_id": ObjectId(post)}) or {}

        eventually(lambda: found(removed).get("settled"), within=10, what="the relay to publish an event")
        with paused(RELAY):
            kept = write(ada)
            change(ada, kept, title="second")
            change(ada, kept, title="third")
            ada.http.delete(f"/api/posts/{removed}")
            document, gone = found(kept), found(removed)
    versions = [event.get("postversion") for event in events_of(document)]
    require(
        versions == [1, 2, 3] and document.get("settled") is False,
        "paused the relay, created a post, changed it twice, and read its document in MongoDB",
        expected="`outbox` with the events of versions 1, 2 and 3, oldest first, and `settled` false",
        saw=f"versions {versions}, settled {document.get('settled')}",
        means="An event that is not in the outbox is never published. `new_with_event` begins the list, and"
        " `change_with_event` in outbox.py has to add to it ($push) and must not replace it.",
    )
    require(
        document.get("title") == "third" and document.get("version") == 3,
        "paused the relay, created a post, changed it twice, and read its document in MongoDB",
        expected="the title 'third' and version 3 in the same document",
        saw={name: document.get(name) for name in ("title", "version")},
        means="The change and its event are one write. `update` in commands.py gives the new fields.",
    )
    text = {name: gone.get(name) for name in ("title", "content", "tags", "expires_at", "deleted")}
    require(
        not gone or ("secret" not in str(gone) and gone.get("deleted") is True),
        "paused the relay, deleted a post whose first event was already published, and read its document",
        expected="`deleted` true, and no title, content or tags",
        saw=text,
        means="The text of a deleted post must not stay until Kafka has time. `delete` in commands.py has to"
        " empty these fields in the same write.",
    )
    types = [event.get("type") for event in events_of(gone)]
    require(
        types == ["post.deleted"],
        "paused the relay, deleted a post, and read its document in MongoDB",
        expected="its document, with one event 'post.deleted' in `outbox`",
        saw=types or ("no event" if gone else "no document"),
        means="Without this event no reader learns that the post is gone.",
    )


@check(points=2)
def test_full_outbox(ada: Person) -> None:
    """A post with too many waiting events takes no more changes, and can still be deleted"""
    seen = {}
    with mongodb() as client:
        posts = client[POSTS][POSTS]
        for where, waiting, parked in (("outbox", MAX_WAITING - 1, 0), ("outbox and parked", 60, 39)):
            post = write(ada)
            here = {"_id": ObjectId(post)}
            eventually(
                lambda h=here: posts.count_documents({**h, "settled": True}),  # type: ignore[misc]
                within=10,
                what="the relay to publish an event",
            )
            # The post stays settled, so no relay looks at these entries.
            entry = {"id": "of the check", "body": b"{}", "reason": "of the check"}
            posts.update_one(here, {"$set": {"outbox": [entry] * waiting, "parked": [entry] * parked}})
            with paused(RELAY):
                answers = [change(ada, post).status_code, change(ada, post).status_code]
                last = ada.http.delete(f"/api/posts/{post}")
                posts.delete_one(here)
            seen[where] = [*answers, last.status_code]
            if last.status_code != 200:
                seen[where].append(said(last))
    require(
        all(found == [200, 503, 200] for found in seen.values()),
        f"stored {MAX_WAITING - 1} waiting events in a post, changed it twice, and deleted it; then the same"
        " with 60 waiting and 39 parked events",
        expected="200, then 503 (the limit is reached), then 200 for the DELETE, both times",
        saw=seen,
        means=f"A document may hold {MAX_WAITING} events, parked ones included; `update` in commands.py refuses"
        " more (`_refuse_when_full`). Deleting must always work: nobody's text stays because Kafka is down.",
    )


@check(points=3)
def test_one_head_per_post(lab: Exercise) -> None:
    """heads() offers the oldest waiting event of each post, longest untouched posts first"""
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
            "One event per post may be on its way. When all waiting events of a post are sent at once and the"
            " first one fails, the second arrives before it, and readers see the post's past as its present.",
        )
        _same(
            module.call("heads", 2),
            [[older, "b1"], [younger, "a1"]],
            did.replace("heads(10)", "heads(2)"),
            "`limit` is the number of posts. Posts that nobody touched for longest come first, so that no"
            " busy post keeps the others waiting.",
        )
        module.call("mark", [younger, "a1"])
        _same(
            module.call("heads", 10),
            [[older, "b1"], [younger, "a2"], [removed, "d2"]],
            f"{did}; then marked 'a1' as sent and called heads(10) again",
            "The next event of a post is offered as soon as the one before it is marked.",
        )


def _same(seen: list[list[str]], wanted: list[list[str]], did: str, means: str) -> None:
    require(
        seen == wanted,
        did,
        expected=f"the events {[event for _, event in wanted]}, each with its post",
        saw=[event for _, event in seen],
        means=f"{means} Look at `heads` in outbox.py.",
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
            _left(
                module, post, ["e2"], f"{did}, while a change of the post added another event",
                "The added event was lost: your code read the list and wrote it back, and a change came in"
                " between. One update has to take the event out of the list as it is at that moment.",
            )  # fmt: skip
            module.call(name, *((post, "e1", *words) if words else ([post, "e1"],)))
            _left(
                module, post, ["e2"], f"{did}, another event was added, and did the same again",
                "The first event was out already, so nothing may change. A relay that dies between sending"
                " and marking does all of it twice. Take an event out by its id, not by its place.",
            )  # fmt: skip
        one, other, third = module.post("x1", "x2"), module.post("y1"), module.post("z1")
        module.call("mark", [one, "x1"], [other, "y1"])
        for post, wanted in ((one, ["x2"]), (other, []), (third, ["z1"])):
            _left(
                module, post, wanted,
                "stored three posts, with two, one and one waiting events, and marked the first event of the"
                " first two posts as sent",
                "What was sent leaves the outbox, and nothing else. A post is `settled` when its outbox is"
                " empty, and only then: MongoDB may delete settled posts.",
            )  # fmt: skip
        removed = module.post("d2", "d3", deleted=True)
        module.call("mark", [removed, "d2"])
        did = "marked the first of two waiting events of a deleted post as sent"
        means = "A deleted post leaves MongoDB with its last event. Before that, the event would be lost."
        _left(module, removed, ["d3"], did, means)
        module.call("mark", [removed, "d3"])
        require(
            module.left(removed) is None,
            f"{did}, then the second one",
            expected="no document of it in MongoDB",
            saw=module.left(removed),
            means="What stays of deleted posts stays for ever. Look at `mark_sent` in outbox.py.",
        )


def _while_an_event_is_added(module: Probe, post: str, name: str, words: tuple[str, ...]) -> None:
    """Call `name` for 'e1' while a transaction adds 'e2': reads see the old list, writes have to wait."""
    here, added = {"_id": ObjectId(post)}, {"$push": {"outbox": {"id": "e2", "body": b"e2"}}}
    with module.database.client.start_session() as session:
        with session.start_transaction():
            module.posts.update_one(here, added, session=session)
            module.ask(name, *((post, "e1", *words) if words else ([post, "e1"],)))
            time.sleep(HELD_SECONDS)
    module.answer(f"{name}() to return")


def _left(module: Probe, post: str, wanted: list[str], did: str, means: str) -> None:
    expected, seen = {"outbox": wanted, "settled": not wanted}, module.left(post)
    if seen and seen["outbox"] == wanted and wanted:
        means = (
            "`settled` says that no event waits, but one does. heads() leaves settled posts out, so this event is"
            " never published, and MongoDB may delete the post before. Set it only when the outbox is empty."
        )
    require(
        seen == expected,
        did,
        expected=f"in the post's document {expected}",
        saw=seen or "no document",
        means=means,
    )


@check(points=1)
def test_parked_events_are_kept(lab: Exercise) -> None:
    """Each parked event is kept with its id, its body and the reason"""
    with probe(lab) as module:
        post = module.post("p1", "p2", "p3")
        module.call("park", post, "p1", "too large")
        module.call("park", post, "p2", "$also too large")
        found = module.posts.find_one({"_id": ObjectId(post)}) or {}
        seen = [
            (e.get("id"), bytes(e.get("body", b"")).decode(), e.get("reason")) for e in found.get("parked", [])
        ]
        require(
            seen == [("p1", "p1", "too large"), ("p2", "p2", "$also too large")],
            "parked two of three waiting events of a post, one after the other",
            expected="both in the list `parked`, each with id, body and reason",
            saw=seen,
            means="A parked event is not thrown away: an operator reads the reason and sends it again. The"
            " second one is added to the list. Look at `park` in outbox.py.",
        )
        _left(module, post, ["p3"], "parked two of three waiting events of a post", "The third one waits.")
