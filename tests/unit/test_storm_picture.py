"""The picture of a storm: metrics of its time are below the faults, with gaps where nothing was measured."""

import re
from typing import Any
from xml.etree import ElementTree

import pytest

from lab.slo.metrics import Metrics
from lab.storm.history import History, Spell
from lab.storm.measured import SHOWN, Series, measured
from lab.storm.timeline import svg


@pytest.fixture
def history() -> History:
    found = History(began=1000.0, ended=1020.0)
    found.spells.append(Spell("kill", "posts", 1004.0, 1008.0, ""))
    return found


def lines(picture: str) -> list[str]:
    return re.findall(r'<polyline points="([^"]*)" fill="none" stroke="#222222"/>', picture)


def test_a_metric_is_a_strip_with_its_largest_value(history: History) -> None:
    waits = Series("waits, s", [(1000.0, 0.0), (1005.0, 8.0), (1010.0, None), (1015.0, 2.0), (1020.0, 0.0)])
    picture = svg(history, "storm", [waits])
    ElementTree.fromstring(picture)
    assert "waits, s" in picture
    assert "(max 8)" in picture
    assert [line.count(",") for line in lines(picture)] == [2, 2]
    without = svg(history, "storm")
    assert lines(without) == []
    assert height(picture) > height(without)


def height(picture: str) -> int:
    return int(ElementTree.fromstring(picture).attrib["height"])


def test_a_metric_that_was_never_measured_leaves_an_empty_strip(history: History) -> None:
    picture = svg(history, "storm", [Series("x", [(1000.0, None)])])
    assert lines(picture) == []
    assert "(max 0)" in picture


def test_each_moment_has_a_value_or_none(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, str]] = []

    def answer(self: Metrics, path: str, query: dict[str, str]) -> Any:
        asked.append(query)
        values = [[1000, "1.5"], [1010, "NaN"], [1015, "+Inf"]]
        return {"result": [{"metric": {}, "values": values}] if len(asked) == 1 else []}

    monkeypatch.setattr(Metrics, "_get", answer)
    first, *others = measured(Metrics("http://nowhere"), history)
    assert [each.name for each in (first, *others)] == list(SHOWN)
    assert first.points == [(1000.0, 1.5), (1005.0, None), (1010.0, None), (1015.0, None), (1020.0, None)]
    assert {value for series in others for _, value in series.points} == {None}
    assert (asked[0]["start"], asked[0]["end"], asked[0]["step"]) == ("1000", "1020", "5s")
