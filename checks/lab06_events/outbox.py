"""The outbox as a change leaves it: every event is in it, and it has a limit."""

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
        means="The text of a deleted post must be gone at once, also while Kafka is down. `delete` in"
        " commands.py has to empty these fields in the same write.",
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
    seen: dict[str, list[object]] = {}
    lost: dict[str, int] = {}
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
                there = (posts.find_one(here) or {}).get("outbox", [])
                lost[where] = waiting - sum(one.get("id") == entry["id"] for one in there)
                # What is left are the post's own events: the relay publishes them and removes the document.
                mine = {"$pull": {"outbox": {"id": entry["id"]}}, "$unset": {"parked": ""}}
                posts.update_one(here, mine)
            seen[where] = [*answers, last.status_code]
            if last.status_code != 200:
                seen[where].append(said(last))
    require(
        all(found == [200, 503, 200] for found in seen.values()),
        f"stored {MAX_WAITING - 1} waiting events in a post, changed it twice, and deleted it; then the same"
        " with 60 waiting and 39 parked events",
        expected="200, then 503 (the limit is reached), then 200 for the DELETE, both times",
        saw=seen,
        means=f"A document may hold {MAX_WAITING} events, parked ones included; `update` in commands.py"
        " refuses"
        " more (`_refuse_when_full`). Deleting must always work: nobody's text stays because Kafka is down.",
    )
    require(
        not any(lost.values()),
        f"stored {MAX_WAITING - 1} waiting events in a post, changed and deleted it, and counted the waiting"
        " events; then the same with 60",
        expected="all of them still in the outbox, with the two new ones",
        saw=", ".join(f"{count} of them lost ({where})" for where, count in lost.items()),
        means="An event may leave the outbox only when it was published or parked. `$push` without `$slice`"
        " adds an event and keeps the others. Look at `change_with_event` in outbox.py.",
    )
