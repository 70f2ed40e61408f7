"""The storm's verdict on the final view and the topic: small histories with one violation each."""

from dataclasses import replace

import pytest
from storm_world import ANN, BOB, STRANGER, World, kinds, words_of

from civildiy.feed import keys
from lab.storm import verdict
from lab.storm.history import Entry, Event, Write
from lab.storm.reads import faults_of_a_page, judge_reads


def view_of(world: World, change: dict[int, list[Entry]]) -> set[str]:
    return kinds(verdict.judge_view(world.history, world.streams() | change))


def test_nothing_wrong_is_nothing_found(world: World) -> None:
    assert verdict.judge_view(world.history, world.streams()) == []
    assert verdict.judge_topic(world.history) == []
    assert judge_reads(world.history) == []


@pytest.mark.parametrize("user", [0, ANN])
def test_each_fault_of_the_last_view_is_named(world: World, user: int) -> None:
    good = world.stream(user)
    newest, *_, oldest = good
    older = replace(newest, version=1, words=words_of(newest.post, 1))
    deleted = Entry("b", 1, BOB, words_of("b", 1), "2026-01-01T00:00:01.000000Zb1")
    assert view_of(world, {user: [newest]}) == {"missing"}
    assert view_of(world, {user: [newest, *good]}) == {"doubled"}
    assert "order" in view_of(world, {user: good[::-1]})
    assert view_of(world, {user: [older, *good[1:]]}) == {"stale"}
    assert view_of(world, {user: [*good, deleted]}) >= {"foreign" if user else "surplus"}
    assert view_of(world, {user: [*good[:-1], replace(oldest, user=BOB)]}) >= {"foreign"}
    ghost = Entry("g", 1, ANN, "nobody wrote this", "2026-01-01T00:00:00.000000Z0")
    assert view_of(world, {user: [*good, ghost]}) == {"surplus"}


def test_an_order_that_fits_its_own_times_but_not_the_answers(world: World) -> None:
    """Entries that carry a wrong time are newest first, and still not in the order of what was done."""
    newest, older, *rest = world.stream()
    swapped = [replace(older, order=newest.order), replace(newest, order=older.order), *rest]
    assert view_of(world, {0: swapped}) == {"order"}


def test_what_was_refused_must_be_nowhere(world: World) -> None:
    world.history.writes.append(Write(7, 7.5, BOB, "refuse", "", "refused title", "refused", 403))
    world.history.writes.append(Write(8, 8.5, BOB, "refuse", "", "refused as well", "unknown", 503))
    for words in ("refused title", "refused as well"):
        shown = Entry("r", 1, BOB, words, "2026-01-01T00:00:59.000000Zr1")
        assert view_of(world, {0: [shown, *world.stream()]}) == {"refused"}
        assert kinds(faults_of_a_page([shown], 0)) == {"refused"}
    event = Event(50, "r1", "r", 1, False, BOB, "refused title", "")
    world.history.events.append(event)
    assert ["refused" in one for one in verdict.judge_topic(world.history)] == [True]


def test_a_list_that_is_full_excuses_only_what_fell_off_its_end(world: World) -> None:
    """Other users filled the global feed before the storm; posts newer than its end must be there."""
    old = [
        Entry(f"o{n}", 1, STRANGER, "old", f"2025-12-31T00:00:{n:07d}Z")
        for n in range(keys.GLOBAL_MAX - 1, -1, -1)
    ]
    full = [*world.stream(), *old][: keys.GLOBAL_MAX]
    assert view_of(world, {0: full}) == set()
    assert view_of(world, {0: [full[0], *full[2:], old[-1]]}) == {"missing"}
    newer = [replace(entry, order=entry.order.replace("2025", "2026-02")) for entry in old]
    assert view_of(world, {0: newer}) == set()


def test_a_change_without_an_answer_may_have_happened_once(world: World) -> None:
    write = Write(7, 9, BOB, "create", "", "perhaps", "unknown", 0)
    world.history.writes.append(write)
    order = "2026-01-01T00:00:30.000000Z"
    once, again = (Entry(post, 1, BOB, "perhaps", order + post) for post in ("p", "q"))
    assert view_of(world, {0: [once, *world.stream()], BOB: [once, *world.stream(BOB)]}) == set()
    assert view_of(world, {0: [again, once, *world.stream()]}) == {"doubled"}
    world.write(ANN, "c", "update", "unknown")
    for state in (world.live["c"], replace(world.live["c"], version=2, words=words_of("c", 2))):
        stream = [state if entry.post == "c" else entry for entry in world.stream(ANN)]
        assert view_of(world, {ANN: stream}) == set()


def test_each_fault_of_the_topic_is_named(world: World) -> None:
    good = [*world.history.events]

    def topic(events: list[Event]) -> list[str]:
        world.history.events = events
        return verdict.judge_topic(world.history)

    assert topic(good + good) == []  # at least once
    assert any("has no event" in v for v in topic(good[1:]))
    assert any("deletion of b" in v for v in topic(good[:-1]))
    assert any("come in the order" in v for v in topic(good[::-1]))
    assert any("two ids" in v for v in topic([*good, replace(good[0], id="other")]))
    assert any("no user wrote" in v for v in topic([*good, replace(good[0], post="x", words="?")]))
    assert any("has '?'" in v for v in topic([replace(good[0], words="?"), *good[1:]]))
