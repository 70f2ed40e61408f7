"""The stored post: its rules, and what the API shows of it."""

from datetime import UTC, datetime, timedelta
from typing import cast, get_type_hints

from civildiy.posts import document
from civildiy.posts.document import StoredPost, changed, events_held, new_post
from civildiy.posts.schemas import Post, PostChange

TIME = datetime(2026, 1, 1, tzinfo=UTC)


def post() -> StoredPost:
    return new_post(7, "t", "c", ["a"], None, TIME)


def test_a_new_post_is_version_one_without_an_event() -> None:
    made = post()
    assert (made["version"], made["deleted"], events_held(made)) == (1, False, 0)
    assert made["created_at"] == made["updated_at"] == TIME


def test_a_change_leaves_the_old_state_as_it_is() -> None:
    before = post()
    after = changed(before, {"title": "new", "version": 2})
    assert (before["title"], before["version"]) == ("t", 1)
    assert (after["title"], after["version"], after["content"]) == ("new", 2, "c")


def test_pending_and_parked_events_count() -> None:
    full = post()
    full["outbox"] = [{"id": "1", "body": b""}, {"id": "2", "body": b""}]
    full["parked"] = [{"id": "0", "body": b"", "reason": "too large"}]
    assert events_held(full) == 3


def test_the_api_shows_what_readers_may_see_and_nothing_else() -> None:
    stored = changed(post(), {"expires_at": TIME + timedelta(days=1)})
    stored["outbox"] = [{"id": "1", "body": b"secret"}]
    shown = Post.of(stored).model_dump()
    assert set(shown) == {"id", *document.SHOWN_FIELDS}
    assert shown["id"] == str(stored["_id"])
    assert {name: shown[name] for name in document.SHOWN_FIELDS} == {
        name: value for name, value in stored.items() if name in document.SHOWN_FIELDS
    }


def test_reads_name_fields_of_the_document() -> None:
    fields = set(get_type_hints(StoredPost))
    for read in (document.SHOWN, document.CHANGING, document.LATEST_STATE):
        assert {name.partition(".")[0] for name in read} <= fields


def test_a_change_holds_only_what_the_client_sent() -> None:
    sent = PostChange.model_validate({"title": "new", "expires_at": None, "version": 99, "id": "1"}).fields()
    assert cast(dict[str, object], sent) == {"title": "new", "expires_at": None}


def test_the_time_is_whole_milliseconds() -> None:
    assert document.now().microsecond % 1000 == 0
