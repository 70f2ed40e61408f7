"""Every version of the event that was ever published can still be decoded."""

import json
from pathlib import Path
from typing import Any

import pytest

from civildiy.contracts.posts.envelope import VERSIONS, PoisonEvent, PostPut, UnknownType, decode, encode

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


def test_unknown_type() -> None:
    with pytest.raises(UnknownType):
        decode(json.dumps(event(2, type="post.liked")).encode())
