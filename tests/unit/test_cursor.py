"""The cursor of a page is read from the bytes of the page."""

import re

import orjson
import pytest

from civildiy.chassis.pages import PAGE_BYTES
from civildiy.contracts.posts.envelope import PostPut, decode
from civildiy.feed.cursor import with_next
from civildiy.feed.projector.projection import feed_entry
from civildiy.feed.schemas import PageQuery


def page(items: list[dict[str, object]], total: int) -> bytes:
    return b'{"items":%b,"total":%d,"limit":2,"skip":0}' % (orjson.dumps(items), total)


def entry(number: int, content: str = "") -> dict[str, object]:
    return {"timestamp": f"2026-01-01T00:00:00.{number:06}Z", "event_id": f"e_{number}", "content": content}


@pytest.mark.parametrize(
    "content", ["", '{"timestamp":"1","event_id":"2"}', '],"total":9,"limit":1,"skip":2}']
)
def test_next_is_the_last_entry(content: str) -> None:
    made = orjson.loads(with_next(page([entry(9), entry(8, content)], 3), 2))
    assert made["next"] == "2026-01-01T00:00:00.000008Z_e_8"
    assert made["items"] == [entry(9), entry(8, content)]


def test_no_next_after_the_last() -> None:
    assert orjson.loads(with_next(page([entry(9), entry(8)], 2), 2))["next"] is None
    assert orjson.loads(with_next(page([], 0), 2))["next"] is None
    assert orjson.loads(with_next(page([], 7), 20))["next"] is None


@pytest.mark.parametrize("content", ["x" * 100_000, '"},{"timestamp":"' * 6_000])
def test_a_page_of_long_entries_ends_early_and_leads_on(content: str) -> None:
    entries = [entry(number, content) for number in range(9, 0, -1)]
    made = orjson.loads(with_next(page(entries, 9), 20))
    count = len(made["items"])
    assert 3 <= count <= 5
    assert made["items"] == entries[:count]
    assert made["next"] == f"2026-01-01T00:00:00.{10 - count:06}Z_e_{10 - count}"


def test_an_entry_longer_than_a_page_is_shown_alone() -> None:
    longest = [entry(number, "x" * (PAGE_BYTES + 1)) for number in (2, 1)]
    made = orjson.loads(with_next(page(longest, 2), 20))
    assert (made["items"], made["next"]) == (longest[:1], "2026-01-01T00:00:00.000002Z_e_2")
    assert orjson.loads(with_next(page(longest[1:], 2), 2))["next"] is None


def test_another_shape_stays() -> None:
    assert with_next(b"{}", 2) == b"{}"


TIME = "2026-01-31T09:02:00.000000Z"


def from_another_producer(id: str) -> bytes:
    """Return the entry of an event with an id that our own relay would never choose."""
    data = {"post_id": "a" * 24, "user_id": 1, "title": "t", "content": "c", "tags": []}
    data |= dict.fromkeys(("created_at", "updated_at"), TIME) | {"expires_at": None}
    event = decode(orjson.dumps({
        "specversion": "1.0", "id": id, "source": "/other", "subject": "s", "time": TIME,
        "datacontenttype": "application/json", "postversion": 1, "traceparent": "", "type": "post.created",
        "schemaversion": 2, "data": data,
    }))  # fmt: skip
    assert isinstance(event, PostPut)
    return feed_entry(event)


@pytest.mark.parametrize(
    "id",
    ['a"b', '"', "a\\b", "\\", "\u00e9", "\u6771" * 100, "\U0001f600" * 100, "\x01" * 100, "\x7f", "\u2028",
     "a_b c", '","event_id":"x'], ids=range(12),
)  # fmt: skip
def test_the_cursor_of_any_event_id_can_be_sent_back(id: str) -> None:
    stored = from_another_producer(id)
    made = orjson.loads(with_next(b'{"items":[%b],"total":2,"limit":1,"skip":0}' % stored, 1))
    assert made["items"][0]["event_id"] == id
    # The scripts order entries by these bytes.
    order = re.match(rb'{"timestamp":"([^"]*)","event_id":"([^"]*)"', stored)
    assert order is not None
    assert PageQuery(before=made["next"]).before == b"_".join(order.groups()).decode()
