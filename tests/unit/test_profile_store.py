"""SQLAlchemy writes a column only if it finds that its value has changed."""

from typing import Any

import pytest
from sqlalchemy import inspect
from sqlalchemy.orm import make_transient_to_detached
from sqlalchemy.orm.attributes import set_committed_value

from civildiy.profile.store import UserProfile


def changed(stored: dict[str, Any], sent: dict[str, Any]) -> bool:
    """Return whether a row with `stored` preferences has changed after `sent` was assigned."""
    row = UserProfile(user_id=1)
    make_transient_to_detached(row)
    set_committed_value(row, "preferences", stored)
    row.preferences = sent
    return bool(inspect(row).attrs.preferences.history.has_changes())


@pytest.mark.parametrize(
    ("stored", "sent"),
    [
        ({"on": 1}, {"on": True}), ({"on": False}, {"on": 0}), ({"on": 1.0}, {"on": 1}),
        ({"a": [{"b": 0}]}, {"a": [{"b": False}]}), ({"a": None}, {}), ({"a": 1}, {"a": "1"}),
    ],
)  # fmt: skip
def test_json_tells_true_from_one(stored: dict[str, Any], sent: dict[str, Any]) -> None:
    assert changed(stored, sent)
    assert changed(sent, stored)


def test_equal_preferences_are_no_change() -> None:
    assert not changed({"a": 1, "b": [True]}, {"b": [True], "a": 1})
