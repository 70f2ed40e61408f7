"""The cursor of a page is read from the bytes of the page."""

import orjson
import pytest

from civildiy.feed.cursor import with_next


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


def test_another_shape_stays() -> None:
    assert with_next(b"{}", 2) == b"{}"
