"""Reading traces: Jaeger's answer, the edges in it, and the waterfall in 80 columns."""

import re
from typing import Any

import httpx
import pytest

from lab import topology
from lab.errors import LabError
from lab.notebook.traces import LEAST, LEFT, WIDE, complete, draw
from lab.traces.edges import edges
from lab.traces.jaeger import Jaeger, Trace, _traces
from lab.traces.lines import lines_of
from lab.traces.waterfall import WIDTH, waterfall

Row = tuple[str, str, str, str, int, int, dict[str, Any]]
ROWS: tuple[Row, ...] = (
    ("1", "", "traefik", "GET", 0, 9000, {"span.kind": "server"}),
    ("2", "1", "auth", "GET /api/auth/validate", 500, 1000, {"span.kind": "server"}),
    ("3", "1", "posts", "POST /api/posts", 2000, 6000, {"span.kind": "server"}),
    ("4", "3", "posts", "insert posts", 3000, 2000, {"span.kind": "client", "db.system.name": "mongodb"}),
    ("5", "3", "posts-relay", "send posts-events", 70_000_000, 2000,
     {"span.kind": "producer", "messaging.system": "kafka"}),
    ("6", "3", "feed-projector", "process posts-events", 70_004_000, 3000, {"span.kind": "consumer"}),
    ("7", "6", "feed-projector", "EVALSHA", 70_004_100, 2000,
     {"span.kind": "client", "db.system.name": "redis", "error": True}),
)  # fmt: skip


def answer(rows: tuple[Row, ...] = ROWS) -> dict[str, Any]:
    """Return these spans as Jaeger's API does."""
    return {
        "traceID": "a" * 32,
        "processes": {unit: {"serviceName": unit} for _, _, unit, *_ in rows},
        "spans": [
            {
                "spanID": number, "operationName": name, "startTime": began, "duration": took,
                "processID": unit, "tags": [{"key": k, "value": v} for k, v in tags.items()],
                "references": [{"refType": "CHILD_OF", "traceID": "a" * 32, "spanID": parent}] * bool(parent),
            }
            for number, parent, unit, name, began, took, tags in rows
        ],
    }  # fmt: skip


def trace(rows: tuple[Row, ...] = ROWS) -> Trace:
    (found,) = _traces([answer(rows)])
    return found


def test_the_edges_of_a_post_are_those_of_the_topology() -> None:
    assert edges(trace()) == topology.TRACE_EDGES["post"]


def test_an_edge_that_is_missing_is_noticed() -> None:
    without_relay = tuple(row for row in ROWS if row[2] != "posts-relay")
    missing = topology.TRACE_EDGES["post"] - edges(trace(without_relay))
    assert missing == {("posts", "posts-relay"), ("posts-relay", "kafka")}


def test_every_unit_of_an_edge_is_in_the_topology() -> None:
    named = {unit for found in topology.TRACE_EDGES.values() for edge in found for unit in edge}
    assert named <= set(topology.UNITS)


def test_a_waterfall_fits_into_80_columns_and_shows_every_span() -> None:
    long: Row = ("8", "3", "x" * 40, "name " * 40, 1, 70_000_000, {})
    lines = waterfall(trace((*ROWS, long)))
    assert max(map(len, lines)) <= WIDTH
    assert len(lines) == 2 + len(ROWS) + 1
    assert lines[0].startswith(f"trace {'a' * 32}: 8 spans, 70007.0 ms, 1 failed")
    assert "!" in next(line for line in lines if "EVALSHA" in line)


def test_children_stand_below_their_parent() -> None:
    names = [line.split()[0] for line in waterfall(trace())[2:]]
    assert names == ["traefik", "auth", "posts", "posts", "posts-relay", "feed-projector", "feed-projector"]


def test_a_picture_has_a_bar_for_each_span_and_names_it_in_words() -> None:
    picture = draw(answer(), "One post")
    words = picture._repr_mimebundle_()["text/plain"]
    assert words.startswith("Picture: Trace of 7 spans in 70007.0 ms. traefik GET: from 0.0 ms, 9.0 ms long;")
    assert words.count(", failed") == 1
    assert picture.svg.count("<rect") == 7
    assert picture.svg.count("stroke-dasharray") == 1, "a failed span shows without colour"


def test_a_bar_stays_inside_the_picture() -> None:
    svg = draw(answer((*ROWS, ("8", "6", "feed-projector", "last", 70_006_999, 1, {}))), "One post").svg
    bars = re.findall(r'<rect x="(\d+)" y="\d+" width="(\d+)"', svg)
    assert all(int(x) >= LEFT and int(x) + int(wide) <= LEFT + WIDE + LEAST for x, wide in bars)


def test_a_trace_is_complete_with_its_last_edge() -> None:
    assert complete(answer())
    assert not complete(answer(ROWS[:-1]))


def test_a_part_whose_parent_is_lost_is_shown_as_well() -> None:
    lines = waterfall(trace(ROWS[3:]))
    assert len(lines) == 2 + len(ROWS[3:])


def test_a_collector_that_is_down_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def get(*_: Any, **__: Any) -> httpx.Response:
        raise httpx.ConnectError("refused")

    monkeypatch.setattr("lab.probes.local_http.get", get)
    with pytest.raises(LabError, match="collector of traces does not answer"):
        Jaeger("http://nowhere").trace("a" * 32)


def test_an_unknown_trace_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = httpx.Response(404, request=httpx.Request("GET", "http://nowhere"))
    monkeypatch.setattr("lab.probes.local_http.get", lambda *_, **__: missing)
    assert Jaeger("http://nowhere").trace("a" * 32) is None


def test_lines_of_all_units_stand_in_the_order_of_their_times() -> None:
    wanted = "c" * 32
    logs = {
        "posts": [f"2026-01-31T09:00:02.5Z [info] one trace_id={wanted}", "2026-01-31T09:00:02Z other"],
        "feed-projector": [f'{{"timestamp":"2026-01-31T09:00:03Z","trace_id":"{wanted}"}}'],
        "auth": [f"2026-01-31T09:00:01Z [info] zero trace_id={wanted}"],
    }

    class Logs:
        def log_command(self, unit: str, follow: bool, lines: int) -> list[str]:
            return ["printf", "%s\\n", *logs.get(unit, ["nothing"])]

    found = lines_of(Logs(), wanted)  # type: ignore[arg-type]
    assert [unit for unit, _ in found] == ["auth", "posts", "feed-projector"]
