"""The posts that a comparison keeps outside its memory, beside a plain dictionary of the same posts."""

from datetime import UTC, datetime, timedelta

from civildiy.feed.projector.projection import timestamp
from civildiy.operations.truth import Expected, Truth

BEGIN = datetime(2026, 1, 1, 0, 0, 0, 123_456, tzinfo=UTC)


def post(number: int, user: int) -> tuple[str, Expected]:
    """Return a post; of two posts, the one with the greater number is newer."""
    time = BEGIN + timedelta(seconds=number)
    return f"{number * 7 % 100:024x}", Expected(
        user, number, timestamp(time) + f"e{number}", b"%d" % number, time
    )


def test_posts_are_read_as_they_were_added() -> None:
    posts = dict(post(number, number % 3) for number in range(100))
    true = Truth()
    for post_id, one in posts.items():
        true.add(post_id, one)
    assert dict(true.posts.items()) == posts
    assert list(true.posts) == sorted(posts)
    assert len(true.posts) == 100
    assert "f" * 24 not in true.posts
    assert true.posts.get("f" * 24) is None
    assert sorted(true.posts.authors()) == [0, 1, 2]
    for user in (None, 0, 1, 2, 3, 2**70):
        mine = [post_id for post_id, one in posts.items() if user in (None, one.user_id)]
        mine.sort(key=lambda post_id: posts[post_id].order, reverse=True)
        assert true.posts.newest(user, 20) == mine[:20]
    true.close()


def test_a_post_that_is_read_again_counts_once() -> None:
    true = Truth()
    true.add(*post(1, 1))
    true.add(post(1, 1)[0], post(2, 1)[1])
    assert [one.version for one in true.posts.values()] == [2]
    true.close()


def test_what_is_left_out_is_not_judged() -> None:
    true = Truth()
    true.leave_out(["a", "b"])
    true.leave_out(iter(["b", "c"]))
    assert true.not_judged == 3
    assert [post_id for post_id in "abcd" if true.judges(post_id)] == ["d"]
    true.close()
