"""The projection against a simple model, on the real Redis in a database of its own."""

from datetime import timedelta

import orjson
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from redis import Redis
from redis.exceptions import ResponseError
from state_machines import FOUND, POSTS, START, TRACE, UNSHRUNK, document, play
from support import ENDPOINTS

from civildiy.contracts.posts.envelope import PostEvent, PostPut
from civildiy.feed import keys
from civildiy.feed.projector import projection
from civildiy.feed.projector.note import ViewSwitched
from civildiy.feed.projector.projection import Projection, timestamp
from civildiy.posts.relay.outbox import deleted_event, put_event

OWN_DATABASE = 9
"""The number of a Redis database; the view uses another one."""
USERS = st.integers(1, 3)


class ProjectionMachine(RuleBasedStateMachine):
    """Events in any order, repeated: the view is the newest version of each post, cut to its length."""

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


class ShortLists(ProjectionMachine):
    """With short lists: what is newest is there, at most as many as fit, in order."""

    @invariant()
    def the_view_is_right(self) -> None:
        for key, most in ((keys.GLOBAL, 4), *((keys.of_user(u), 2) for u in {*self.owner.values()})):
            items = [orjson.loads(item) for item in self.redis.lrange(key, 0, -1)]
            assert len(items) <= most
            order = [item["timestamp"] + item["event_id"] for item in items]
            assert order == sorted(order, reverse=True)
            for item in items:
                assert self.newest[item["post_id"]].id == item["event_id"]


@pytest.fixture
def short_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "GLOBAL_MAX", 4)
    monkeypatch.setattr(keys, "USER_MAX", 2)


def test_projection() -> None:
    play(ProjectionMachine)


def test_projection_cuts_its_lists(short_lists: None) -> None:
    play(ShortLists)


def test_projection_finds_its_view_emptied() -> None:
    host, _, port = ENDPOINTS["redis"].rpartition(":")
    with Redis(host=host, port=int(port), db=OWN_DATABASE) as redis:
        redis.flushdb()
        view = Projection(redis)
        for following in (1, 2):
            view.apply([], following, 0, 0)
        redis.flushdb()
        with pytest.raises(ViewSwitched):
            view.apply([], 3, 0, 0)
        assert view.next_offset() is None
        view.apply([], 1, 0, 0)
        redis.flushdb()


def test_an_error_in_the_middle_is_repeated_without_harm() -> None:
    machine = ProjectionMachine()
    machine.apply([machine.make(1, 1, False, 1), machine.make(2, 1, False, 1)])
    own, new = keys.of_user(1), machine.make(3, 1, False, 1)  # fails after it is in the global list
    machine.redis.rename(own, "aside")
    machine.redis.set(own, "no list")
    for _ in range(3):
        with pytest.raises(ResponseError, match="WRONGTYPE"):
            machine.projection.apply([new], 3, 0, 0)
    machine.redis.rename("aside", own)
    machine.apply([new])
    machine.the_view_is_right()
    machine.teardown()


@pytest.mark.parametrize(
    ("right", "wrong", "machine"),
    [
        ("tonumber(known[1]) >= tonumber(version)", "false", ProjectionMachine),
        ("if order(redis.call('LINDEX', list, middle)) < place then", "if true then", ProjectionMachine),
        ("remove(own, known[2])", "", ProjectionMachine),
        ("redis.call('LTRIM', all, 0, ARGV[3] - 1)", "redis.call('LTRIM', all, 0, ARGV[3])", ShortLists),
    ],
    ids=["no version check", "a late event comes first", "removed from one list only", "one entry too many"],
)
def test_a_wrong_projection_is_found(
    right: str, wrong: str, machine: type[RuleBasedStateMachine],
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    if machine is ShortLists:
        request.getfixturevalue("short_lists")
    assert right in projection.SCRIPT
    monkeypatch.setattr(projection, "SCRIPT", projection.SCRIPT.replace(right, wrong))
    with pytest.raises(FOUND):
        play(machine, UNSHRUNK)
