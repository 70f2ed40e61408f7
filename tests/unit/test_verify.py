"""The comparison of view and posts, on small lists that a person can check."""

from datetime import UTC, datetime, timedelta
from itertools import combinations, permutations

import pytest

from civildiy.feed import keys
from civildiy.operations.truth import Expected, digest
from civildiy.operations.view_diff import compare_list, out_of_order
from civildiy.operations.view_reader import Entry

NOW = datetime.now(UTC)


def entry(number: int, user: int = 1) -> Entry:
    """Return the entry of post `number`; a greater number is newer."""
    return Entry(f"words {number}".encode(), f"{number}", 1, f"{number:09d}", user)


def expected(entry: Entry, **changed: object) -> Expected:
    known = {"user_id": entry.user_id, "version": entry.version, "order": entry.order}
    time = NOW - timedelta(seconds=1)
    more = {"digest": digest(entry.raw), "time": time}
    return Expected(**(known | more | changed))  # type: ignore[arg-type]


@pytest.mark.parametrize("order", [*permutations(range(5))], ids=str)
def test_the_fewest_entries_are_out_of_order(order: tuple[int, ...]) -> None:
    entries = [entry(number) for number in order]
    wrong = out_of_order(entries)
    rest = [one.order for one in entries if one not in wrong]
    assert rest == sorted(rest, reverse=True)
    longest = max(
        size for size in range(1, 6) for some in combinations(order, size) if [*some] == sorted(some)[::-1]
    )
    assert len(rest) == longest


def kinds(entries: list[Entry], all_posts: int, removed: int = 0) -> set[tuple[str, str]]:
    posts = {f"{n}": expected(entry(n)) for n in range(all_posts)}
    return {(f.kind, f.post_id) for f in compare_list(1, entries, posts, [*posts], removed)}


def test_a_right_list() -> None:
    assert kinds([entry(n) for n in (2, 1, 0)], 3) == set()


def test_each_kind() -> None:
    assert kinds([entry(2), entry(0)], 3) == {("missing", "1")}
    assert kinds([entry(2), entry(1)], 3) == {("missing", "0")}
    assert kinds([entry(n) for n in (2, 1, 1, 0)], 3) == {("surplus", "1")}
    assert kinds([entry(n) for n in (3, 2, 1, 0)], 3) == {("surplus", "3")}
    assert kinds([entry(n) for n in (2, 0, 1)], 3) in ({("misplaced", "0")}, {("misplaced", "1")})
    old = Entry(b"old words", "1", 1, f"{1:09d}", 1)
    assert kinds([entry(2), old, entry(0)], 3) == {("stale", "1")}


def test_an_entry_in_somebody_elses_list() -> None:
    posts = {"0": expected(entry(0)), "1": expected(entry(1), user_id=2)}
    found = {(f.kind, f.post_id) for f in compare_list(1, [entry(1), entry(0)], posts, ["0"], 0)}
    assert found == {("misplaced", "1")}


def test_the_end_of_a_list_that_was_full() -> None:
    """A removal does not bring older posts back."""
    newest = [entry(n) for n in range(keys.USER_MAX + 4, 10, -1)]
    assert kinds(newest, keys.USER_MAX + 5) == set()
    some = [entry(n) for n in range(keys.USER_MAX - 1, 5, -1)]
    assert kinds(some, keys.USER_MAX, removed=1) == set()
    assert len(kinds(some, keys.USER_MAX)) == 6


def test_a_list_that_was_forgotten() -> None:
    old = {"0": expected(entry(0), time=NOW - timedelta(seconds=keys.LIST_SECONDS + 60))}
    assert list(compare_list(1, [], old, ["0"], 0)) == []
    new = {"0": expected(entry(0))}
    assert [f.kind for f in compare_list(1, [], new, ["0"], 0)] == ["missing"]
