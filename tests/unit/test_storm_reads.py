"""The storm's verdict on the reads during the storm."""

from dataclasses import replace

import pytest
from storm_world import ANN, BOB, World, kinds, words_of

from lab.storm.history import Entry
from lab.storm.reads import faults_of_a_page, judge_reads


@pytest.mark.parametrize("user", [0, ANN])
def test_each_fault_of_a_read_is_named(world: World, user: int) -> None:
    good = world.stream(user)
    newest, *rest = good
    before = Entry("a", 1, ANN, words_of("a", 1), "2026-01-01T00:00:00.000000Za1")

    def read(page: list[Entry], floor: int | None = None) -> set[str]:
        del world.history.reads[:]
        world.read(user, page, floor)
        return kinds(judge_reads(world.history) + faults_of_a_page(page, user))

    assert read(good) == set()
    assert read([newest]) == {"hole"}
    assert read(rest) == {"hole"}
    assert read([newest, *good]) == {"doubled"}
    assert "order" in read(good[::-1])
    assert read([*rest, before]) == {"torn"}
    assert read([replace(newest, words="other words"), *rest]) == {"torn"}
    assert read([replace(newest, version=7), *rest]) == {"from nowhere"}
    assert read([replace(newest, post="x"), *good]) == {"from nowhere"}
    assert read([replace(newest, order="2026-01-01T00:00:50.000000Za2"), *rest]) == {"order"}
    # The statistics may be unavailable: the page itself shows which offset the view had reached.
    assert read([newest], floor=0) == {"hole"}
    assert read([*rest, before], floor=0) == set()


def test_a_read_behind_the_view_is_lag_and_no_fault(world: World) -> None:
    del world.history.reads[:]
    late = World()
    for user, post in ((ANN, "a"), (BOB, "b")):
        late.write(user, post)
    world.read(0, late.stream(), floor=2)
    world.read(0, [], floor=0)
    assert judge_reads(world.history) == []
    world.read(0, late.stream(), floor=3)
    assert kinds(judge_reads(world.history)) == {"hole"}


def test_a_page_that_is_full_has_no_holes_either(world: World) -> None:
    world.history.limit = 2
    del world.history.reads[:]
    newest, second, third = world.stream()
    world.read(0, [newest, second])
    assert judge_reads(world.history) == []
    world.read(0, [newest, third])
    assert kinds(judge_reads(world.history)) == {"hole"}


def test_a_post_whose_deletion_was_asked_for_may_be_gone(world: World) -> None:
    world.write(ANN, "c", "delete", "unknown")
    world.read(ANN, [entry for entry in world.stream(ANN) if entry.post != "c"])
    assert judge_reads(world.history) == []


def test_a_deleted_post_does_not_come_back(world: World) -> None:
    world.read(0, [*world.stream(), Entry("b", 1, BOB, words_of("b", 1), "2026-01-01T00:00:01.000000Zb1")])
    assert "torn" in kinds(judge_reads(world.history))
