"""The stored post: its rules, what the API shows of it, and the direction in which a write is read."""

import ast
from datetime import UTC, datetime, timedelta
from typing import Any, cast, get_type_hints

import pytest

from civildiy.posts import document
from civildiy.posts.document import READING, StoredPost, changed, events_held, is_visible, new_post
from civildiy.posts.schemas import Post, PostChange
from lab.home import PLATFORM

TIME = datetime(2026, 1, 1, tzinfo=UTC)
WRITE_PATH = (
    "civildiy.posts.app",
    "civildiy.posts.api",
    "civildiy.posts.schemas",
    "civildiy.posts.state",
    "civildiy.posts.commands",
    "civildiy.posts.store",
    "civildiy.posts.relay.outbox",
    "civildiy.posts.document",
    "civildiy.contracts.posts.envelope",
)
"""The modules of a write, in the order in which a reader meets them."""


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


def test_a_write_reads_from_top_to_bottom() -> None:
    for place, name in enumerate(WRITE_PATH):
        source = (PLATFORM / (name.replace(".", "/") + ".py")).read_text()
        imports = {n.module for n in ast.walk(ast.parse(source)) if isinstance(n, ast.ImportFrom)}
        back = imports.intersection(WRITE_PATH[:place])
        assert not back, f"{name} imports {back}, which stands above it"


SOON = datetime.now(UTC) + timedelta(days=1)
SHOWN_POST = {"deleted": False, "expires_at": None, "last_event": {"id": "1"}}


@pytest.mark.parametrize(
    ("fields", "seen"),
    [
        ({}, True),
        ({"expires_at": SOON}, True),
        ({"expires_at": SOON - timedelta(days=2)}, False),
        ({"expires_at": "2099-01-01"}, False),
        ({"deleted": True}, False),
        ({"deleted": None}, False),
    ],
)
def test_a_single_post_is_shown_by_the_rules_of_a_page(fields: dict[str, Any], seen: bool) -> None:
    """`visible` gives these rules to MongoDB, and `is_visible` follows them in Python."""
    assert is_visible(cast(StoredPost, SHOWN_POST | fields)) is seen


@pytest.mark.parametrize("missing", ["deleted", "last_event"])
def test_a_document_of_another_program_is_no_post(missing: str) -> None:
    known = {name: value for name, value in SHOWN_POST.items() if name != missing}
    assert not is_visible(cast(StoredPost, known))


def test_a_read_asks_for_what_decides_about_it() -> None:
    assert {"deleted", "expires_at", "last_event.id"} <= READING.keys()
