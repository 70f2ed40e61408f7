"""The units that a check stops itself are recorded; those that it only reads are not."""

import pytest
from grading.stack import Noting
from grading.stack import home as graded_home

from lab.backends.choice import chosen
from lab.errors import LabError


def test_only_what_ends_a_unit_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_BACKEND", "native")
    noting = Noting(chosen(graded_home))
    assert noting.kind == "native"
    assert "kafka" in noting.endpoints()
    assert noting.disturbed == set()
    with pytest.raises(LabError):
        noting.override("no-such-unit", {})
    assert noting.disturbed == {"no-such-unit"}
