"""Every version of the event that was ever published can still be decoded."""

import json
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId

from civildiy.contracts.posts.envelope import (
    LONGEST_EVENT,
    VERSIONS,
    PoisonEvent,
    PostPut,
    UnknownType,
    decode,
    encode,
)
from civildiy.posts.document import StoredPost
from civildiy.posts.relay.outbox import put_event
from civildiy.posts.schemas import NewPost

SCHEMAS = Path(__file__).parents[2] / "docs" / "events"
ID = "0123456789abcdef01234567"


def event(version: int, **changes: Any) -> dict[str, Any]:
    text = {"body": "c"} if version == 1 else {
        "content": "c", "tags": ["t"], "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z", "expires_at": None,
    }  # fmt: skip
    return {
        "specversion": "1.0", "id": "e1", "source": "/civildiy/posts", "subject": ID,
        "time": "2026-01-01T00:00:00Z", "datacontenttype": "application/json", "postversion": 1,
        "traceparent": "00-" + "1" * 32 + "-" + "1" * 16 + "-01", "type": "post.created",
        "schemaversion": version, "data": {"post_id": ID, "user_id": 1, "title": "t", **text},
    } | changes  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS)
def test_schema_has_not_changed_since_it_was_released(version: int) -> None:
    released = json.loads((SCHEMAS / f"post-event.v{version}.schema.json").read_text())
    assert VERSIONS[version].json_schema() == released, "a released version is frozen: add a new one"


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_is_read(version: int) -> None:
    read = decode(json.dumps(event(version)).encode())
    assert isinstance(read, PostPut)
    assert (read.schemaversion, read.data.content) == (2, "c")
    assert decode(encode(read)) == read


@pytest.mark.parametrize(
    "raw",
    [
        None, b"", b"{", b"[]", b"\xff", json.dumps(event(3)).encode(),
        json.dumps(event(2, postversion=0)).encode(), json.dumps(event(2, data={})).encode(),
    ],
)  # fmt: skip
def test_poison(raw: bytes | None) -> None:
    with pytest.raises(PoisonEvent):
        decode(raw)


def test_a_long_record_is_refused_before_it_is_parsed() -> None:
    """Parsed, a megabyte of small objects would need 30 MB, within the limit of a worker of 80 MiB."""
    raw = b"[" + b'{"":{}},' * 125_000 + b"0]"
    tracemalloc.start()
    try:
        with pytest.raises(PoisonEvent, match=r"1000003 bytes, and an event has 262144 at most"):
            decode(raw)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 100_000


def test_the_largest_post_makes_an_event_that_is_far_from_too_long() -> None:
    """JSON writes a control character with six bytes, which is the most for one character."""
    post = NewPost(
        title="\x01" * 200, content="\x01" * 20_000, tags=[f"{n:02}" + "\U0001f600" * 48 for n in range(20)]
    )
    now = datetime.now(UTC)
    stored: StoredPost = {
        "_id": ObjectId(), "user_id": 2**63 - 1, "title": post.title, "content": post.content,
        "tags": post.tags, "created_at": now, "updated_at": now, "expires_at": now, "version": 2**53,
        "deleted": False,
    }  # fmt: skip
    raw = encode(put_event("post.updated", stored, now, "t" * 100))
    assert 120_000 < len(raw) < LONGEST_EVENT * 0.6
    assert decode(raw)


def test_unknown_type() -> None:
    with pytest.raises(UnknownType):
        decode(json.dumps(event(2, type="post.liked")).encode())
