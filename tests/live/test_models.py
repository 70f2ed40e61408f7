"""Projection and outbox against simple models, on the real servers in databases of their own."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from bson import ObjectId
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from pymongo import MongoClient
from redis import Redis
from support import ENDPOINTS

from civildiy.events.envelope import PostEvent, PostPut, decode
from civildiy.feed import keys
from civildiy.feed.projection import Projection, timestamp
from civildiy.posts.outbox import Outbox, Waiting, deleted_event, entry, put_event

TRACE = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"
START = datetime(2026, 1, 1, tzinfo=UTC)
OWN_DATABASE = 9
"""Of Redis; the view lives in another one."""
BOUNDS = settings(
    max_examples=25, stateful_step_count=30, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
USERS, POSTS = st.integers(1, 3), st.integers(0, 7)


def document(post: str, user: int, version: int, time: datetime) -> dict[str, Any]:
    return {
        "_id": ObjectId(post), "user_id": user, "title": f"{post[-2:]} version {version}", "content": "c",
        "tags": [], "created_at": START, "updated_at": time, "expires_at": None, "version": version,
    }  # fmt: skip


class ProjectionMachine(RuleBasedStateMachine):
    """Events in any order, again and again: the view is the newest version of each post, cut to length."""

    def __init__(self) -> None:
        super().__init__()
        host, _, port = ENDPOINTS["redis"].rpartition(":")
        self.redis = Redis(host=host, port=int(port), db=OWN_DATABASE)
        self.redis.flushdb()
        self.projection = Projection(self.redis)
        self.events: list[PostEvent] = []
        self.newest: dict[str, PostEvent] = {}
        self.owner: dict[str, int] = {}
        self.pushed_out: set[str] = set()
        self.versions: dict[str, int] = {}
        self.clock = START

    def teardown(self) -> None:
        self.redis.flushdb()
        self.redis.close()

    def make(self, number: int, user: int, removed: bool, seconds: int) -> PostEvent:
        post = f"{number:024x}"
        owner = self.owner.setdefault(post, user)
        self.versions[post] = version = self.versions.get(post, 0) + 1
        self.clock += timedelta(seconds=seconds)
        known = document(post, owner, version, self.clock)
        event: PostEvent = (
            deleted_event(known, self.clock, TRACE)
            if removed
            else put_event("post.created" if version == 1 else "post.updated", known, self.clock, TRACE)
        )
        self.events.append(event)
        return event

    def apply(self, events: list[PostEvent]) -> None:
        self.projection.apply(events, len(self.events), 0, 0)
        for event in events:
            post = event.data.post_id
            if post not in self.newest or self.newest[post].postversion < event.postversion:
                self.newest[post] = event

    @rule(number=POSTS, user=USERS, removed=st.booleans(), seconds=st.integers(0, 5))
    def something_happens(self, number: int, user: int, removed: bool, seconds: int) -> None:
        self.apply([self.make(number, user, removed, seconds)])

    @rule(number=POSTS, user=USERS, seconds=st.integers(0, 5))
    def an_event_is_late(self, number: int, user: int, seconds: int) -> None:
        self.make(number, user, False, seconds)  # it comes with a redelivery, or never

    @precondition(lambda self: self.events)
    @rule(data=st.data())
    def events_come_again(self, data: st.DataObject) -> None:
        self.apply(data.draw(st.lists(st.sampled_from(self.events), min_size=1, max_size=6)))

    @invariant()
    def the_view_is_right(self) -> None:
        shown = [event for event in self.newest.values() if isinstance(event, PostPut)]
        shown.sort(key=lambda event: timestamp(event.time) + event.id, reverse=True)
        assert self.list(keys.GLOBAL) == [event.id for event in shown]
        for user in {*self.owner.values()}:
            mine = [event.id for event in shown if event.data.user_id == user]
            assert self.list(keys.of_user(user)) == mine

    def list(self, key: str) -> list[str]:
        return [str(orjson.loads(item)["event_id"]) for item in self.redis.lrange(key, 0, -1)]


class OutboxMachine(RuleBasedStateMachine):
    """Changes, publishing and crashes in any order: each post's events go out in order, none is lost."""

    def __init__(self) -> None:
        super().__init__()
        host, _, port = ENDPOINTS["mongodb"].rpartition(":")
        self.client: MongoClient[dict[str, Any]] = MongoClient(host, int(port), directConnection=True)
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


def play(machine: type[RuleBasedStateMachine]) -> None:
    run_state_machine_as_test(machine, settings=BOUNDS)


def test_projection() -> None:
    play(ProjectionMachine)


def test_projection_cuts_its_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """With short lists: what is newest is there, at most as many as fit, in order."""
    monkeypatch.setattr(keys, "GLOBAL_MAX", 4)
    monkeypatch.setattr(keys, "USER_MAX", 2)

    class Short(ProjectionMachine):
        @invariant()
        def the_view_is_right(self) -> None:
            for key, most in ((keys.GLOBAL, 4), *((keys.of_user(u), 2) for u in {*self.owner.values()})):
                items = [orjson.loads(item) for item in self.redis.lrange(key, 0, -1)]
                assert len(items) <= most
                order = [item["timestamp"] + item["event_id"] for item in items]
                assert order == sorted(order, reverse=True)
                for item in items:
                    assert self.newest[item["post_id"]].id == item["event_id"]

    play(Short)


def test_outbox() -> None:
    play(OutboxMachine)
