"""What a change writes, before it reaches MongoDB: the document, the update, and the decision."""

import json
from typing import Any

from grading.learner_process import beside
from grading.outcome import require
from grading.plugin import check

from lab.course.exercise import Exercise

PROGRAM = """
import asyncio, json
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from civildiy.posts import commands as module
from civildiy.posts.document import changed, new_post
from civildiy.posts.relay.outbox import (
    MAX_WAITING, change_with_event, entry, new_with_event, put_event,
)

AT = datetime(2026, 1, 31, 9, tzinfo=UTC)
LATER = AT + timedelta(minutes=1)
UNTIL = datetime(2030, 1, 1, tzinfo=UTC)

def post(**more):
    made = new_post(1, "title", "content", ["a", "b"], UNTIL, AT)
    return {**made, "version": 7, "outbox": [], **more}

class Store:
    # Takes what a command gives to PostStore.change, and calls decide as `change` does when another request
    # was faster: once for the post as it was before, and then for the post as it is now.
    def __init__(self, found):
        self.found = found
        self.earlier = {**found, "title": "earlier", "content": "earlier", "version": found["version"] - 1}

    async def get(self, post_id):
        return self.earlier

    async def change(self, post_id, decide):
        decide(self.earlier, AT)
        self.change_made = decide(self.found, LATER)
        return changed(self.found, self.change_made.fields)

def decided(act, **more):
    found = post(**more)
    before = deepcopy(found)
    store = Store(found)
    try:
        asyncio.run(act(module.Commands(store)))
    except Exception as error:
        return {"refused": type(error).__name__, "text": str(error)[:100], "same": found == before}
    made = store.change_made
    event = json.loads(made.event.model_dump_json())
    return {
        "fields": json.loads(json.dumps(dict(made.fields), default=str)), "event": event,
        "same": found == before,
    }

def update(user=1, **changes):
    return lambda commands: commands.update("a" * 24, user, changes, "trace")

def delete(user=1):
    return lambda commands: commands.delete("a" * 24, user, "trace")

full = {"outbox": [{"id": str(n)} for n in range(MAX_WAITING)]}
parked = {"outbox": full["outbox"][:60], "parked": full["outbox"][60:]}
new = new_post(1, "title", "content", [], None, AT)
before = deepcopy(new)
event = put_event("post.created", new, AT, "trace")
document = new_with_event(new, event)
change = change_with_event({"title": "new"}, event)
pushed = change.get("$push", {}).get("outbox", {})
added = pushed == entry(event) or pushed == {"$each": [entry(event)]}
say(json.dumps({
    "new": {
        "same": new == before, "settled": document.get("settled"),
        "outbox": document.get("outbox") == [entry(event)],
        "kept": all(document.get(name) == value for name, value in before.items()),
    },
    "change": {
        "operators": sorted(change), "fields": sorted(change.get("$set", {})),
        "settled": change.get("$set", {}).get("settled"),
        "pushed": added or f"$push of {', '.join(pushed)}",
    },
    "update": decided(update(title="new")),
    "update by another": decided(update(user=2, title="new")),
    "update of a full one": decided(update(title="new"), **full),
    "update with parked ones": decided(update(title="new"), **parked),
    "update of a full one by another": decided(update(user=2, title="new"), **full),
    "update with room for one": decided(update(title="new"), outbox=full["outbox"][1:], version=400),
    "delete": decided(delete()),
    "delete by another": decided(delete(user=2)),
    "delete of a full one": decided(delete(), **full),
}))
"""
LATER = "2026-01-31 09:01:00+00:00"


@check(points=3)
def test_what_is_written(lab: Exercise) -> None:
    """A change writes its fields, the next version and one event of the new state, or refuses"""
    with beside(lab, "posts", PROGRAM) as module:
        seen: dict[str, Any] = json.loads(module.hear("your functions to return what they write", within=20))
    _same(
        "called new_with_event(post, event)", seen["new"],
        {"same": True, "settled": False, "outbox": True, "kept": True},
        "It returns a new document: all fields of the post, `outbox` with entry(event) as its only entry, and"
        " the fields of _owing(event), which contain `settled` False. `post` itself must stay unchanged,"
        " because the API answers with it. Look at `new_with_event` in outbox.py.",
    )  # fmt: skip
    _same(
        'called change_with_event({"title": "new"}, event)', seen["change"],
        {
            "operators": ["$push", "$set"], "fields": ["last_event", "settled", "title"], "settled": False,
            "pushed": True,
        },
        "One update changes the fields and appends the event. `$set` also needs the fields of _owing(event):"
        " the relay finds only posts whose `settled` is False. `$push` adds the event and removes none. Look"
        " at `change_with_event` in outbox.py.",
    )  # fmt: skip
    update, delete = seen["update"], seen["delete"]
    for name, made in (("update", update), ("delete", delete)):
        _same(
            f"called {name}() for version 7 of a user's own post", _error(made), "no error",
            f"Nothing forbids this change. Everything that `decide` needs is in its arguments: `post`, the"
            f" document as it is now, and `time`. Look at `{name}` in commands.py.",
        )  # fmt: skip
    _same(
        "called update(), and decide() for version 6 of a post and then for version 7, as change() does when"
        " another request was faster; took what decide() returned the second time", update.get("fields"),
        {"title": "new", "updated_at": LATER, "version": 8},
        "The fields are the changes, `updated_at` with the time that decide() gets, and the next version."
        " Make a new dictionary in each call, from the arguments of that call: what an earlier call has"
        " stored belongs to a post that has changed since. Look at `update` in commands.py.",
    )  # fmt: skip
    event = update["event"]
    _same(
        "called update() with a new title, and took the event that decide() returned",
        {
            **{name: event[name] for name in ("type", "postversion", "time", "traceparent")},
            **{name: event["data"][name] for name in ("title", "content", "updated_at")},
        },
        {
            "type": "post.updated", "postversion": 8, "time": "2026-01-31T09:01:00Z", "traceparent": "trace",
            "title": "new", "content": "content", "updated_at": "2026-01-31T09:01:00Z",
        },
        "An event states what the post looks like after the change: make it of changed(post, fields), with"
        " the `time` of decide() and the `traceparent` of the request. `post` is the argument of decide():"
        " a post that was read earlier may have changed since then. Look at `update` in commands.py.",
    )  # fmt: skip
    _same(
        "called delete() for version 7 of a post, and took what decide() returned", delete.get("fields"),
        {
            "title": "", "content": "", "tags": [], "expires_at": None, "deleted": True, "updated_at": LATER,
            "version": 8,
        },
        "A deletion empties the text in the same write. A version that stays the same makes the event stale"
        " for readers, and an expiry lets MongoDB remove the post before its event. Look at `delete` in"
        " commands.py.",
    )  # fmt: skip
    _same(
        "called delete() for version 7 of a post, and took the event that decide() returned",
        {name: delete["event"][name] for name in ("type", "postversion", "time")},
        {"type": "post.deleted", "postversion": 8, "time": "2026-01-31T09:01:00Z"},
        "The event is deleted_event of changed(post, fields), with the `time` of decide(). Look at `delete`"
        " in commands.py.",
    )  # fmt: skip
    for case, refused in (
        ("update by another", "Forbidden"),
        ("delete by another", "Forbidden"),
        ("update of a full one", "Unavailable"),
        ("update with parked ones", "Unavailable"),
        ("update of a full one by another", "Forbidden"),
        ("update with room for one", None),
        ("delete of a full one", None),
    ):
        _same(
            f"{case.replace('one', 'post').replace('another', 'another user')}, by decide()",
            seen[case].get("refused"), refused,
            "Refuse first: `_refuse_others(post, user)` in both, then `_refuse_when_full(post)` in `update`"
            " only. Pending and parked events count together, and a deletion is always possible. Look at"
            " commands.py.",
        )  # fmt: skip
    changed = [case for case, found in seen.items() if found.get("same") is False]
    _same(
        "called decide() twice with the same post, as change() does after a conflict", changed, [],
        "decide() must not change the post that it gets: it is called again after a conflict. Return the new"
        " values as fields. Look at commands.py.",
    )  # fmt: skip


def _error(made: dict[str, Any]) -> str:
    return f"{made['refused']}: {made['text']}" if "refused" in made else "no error"


def _same(did: str, seen: object, wanted: object, means: str) -> None:
    require(seen == wanted, did, expected=wanted, saw=seen, means=means)
