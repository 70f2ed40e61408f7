"""The outbox against a simple model, on the real MongoDB in a database of its own."""

import secrets
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from pymongo import MongoClient
from state_machines import FOUND, POSTS, START, TRACE, UNSHRUNK, document, play
from support import ENDPOINTS

from civildiy.contracts.posts.envelope import decode
from civildiy.posts.relay.outbox import Outbox, Waiting, entry, put_event


class OutboxMachine(RuleBasedStateMachine):
    """Changes, publishing and crashes in any order: each post's events go out in order, none is lost."""

    def __init__(self) -> None:
        super().__init__()
        host, _, port = ENDPOINTS["mongodb"].rpartition(":")
        self.client: MongoClient[Any] = MongoClient(host, int(port), directConnection=True)
        self.name = f"model_{secrets.token_hex(6)}"
        self.posts = self.client[self.name]["posts"]
        self.outbox = Outbox(self.posts)
        self.made: dict[str, list[str]] = {}
        self.topic: dict[str, list[str]] = {}
        self.unmarked: list[Waiting] = []

    def teardown(self) -> None:
        self.client.drop_database(self.name)
        self.client.close()

    @rule(number=POSTS)
    def a_post_changes(self, number: int) -> None:
        post = f"{number:024x}"
        version = len(self.made.setdefault(post, [])) + 1
        known = document(post, 1, version, START + timedelta(seconds=version))
        event = put_event("post.created" if version == 1 else "post.updated", known, START, TRACE)
        self.made[post].append(event.id)
        self.posts.update_one(
            {"_id": ObjectId(post)},
            {"$set": known | {"settled": False, "deleted": False}, "$push": {"outbox": entry(event)}},
            upsert=True,
        )

    @rule(limit=st.integers(1, 5), crashes=st.booleans())
    def the_relay_works(self, limit: int, crashes: bool) -> None:
        heads = self.outbox.heads(limit)
        for head in heads:
            sent = self.topic.setdefault(str(head.post_id), [])
            assert decode(head.body).id == head.event_id
            sent.append(head.event_id)
        if not crashes:
            self.outbox.mark_sent(heads)

    @invariant()
    def order_is_kept(self) -> None:
        for post, sent in self.topic.items():
            first = list(dict.fromkeys(sent))
            assert first == self.made[post][: len(first)]

    @invariant()
    def nothing_is_lost(self) -> None:
        for post, made in self.made.items():
            found = self.posts.find_one({"_id": ObjectId(post)})
            assert found is not None
            waiting = [e["id"] for e in found["outbox"]]
            marked = len(made) - len(waiting)
            assert waiting == made[marked:]
            assert {*made[:marked]} <= {*self.topic.get(post, [])}
            assert found["settled"] is (waiting == [])


def test_outbox() -> None:
    play(OutboxMachine)


def test_a_wrong_outbox_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two wrong outboxes: one drops an event that was never sent, the other sends the newest first."""

    def emptied(self: Outbox, sent: list[Waiting]) -> None:
        for one in sent:
            self._posts.update_one({"_id": one.post_id}, {"$set": {"outbox": [], "settled": True}})

    def newest(self: Outbox, limit: int) -> list[Waiting]:
        found = self._posts.find({"settled": False}, limit=limit)
        return [Waiting(p["_id"], p["outbox"][-1]["id"], bytes(p["outbox"][-1]["body"])) for p in found]

    for method, wrong in (("mark_sent", emptied), ("heads", newest)):
        with monkeypatch.context() as patch:
            patch.setattr(Outbox, method, wrong)
            with pytest.raises(FOUND):
                play(OutboxMachine, UNSHRUNK)
