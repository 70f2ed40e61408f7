"""Jaeger's query API: a trace by its id, or the traces that have an attribute."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from lab.errors import LabError
from lab.probes import local_http


@dataclass(frozen=True)
class Span:
    """One step of a request, in one unit. Times are in microseconds; `began` counts from 1970."""

    id: str
    parent: str
    unit: str
    name: str
    began: int
    took: int
    attributes: Mapping[str, Any]

    @property
    def failed(self) -> bool:
        """Whether the unit marked the span as failed."""
        return bool(self.attributes.get("error")) or self.attributes.get("otel.status_code") == "ERROR"


@dataclass(frozen=True)
class Trace:
    """All spans of one trace that the collector has, in the order of their beginning."""

    id: str
    spans: Sequence[Span]

    def children(self, parent: str) -> Sequence[Span]:
        """Return the spans whose parent is the span with this id."""
        return [span for span in self.spans if span.parent == parent]

    def roots(self) -> Sequence[Span]:
        """Return the spans whose parent the collector does not have: the first one, and each after a loss."""
        known = {span.id for span in self.spans}
        return [span for span in self.spans if span.parent not in known]


class Jaeger:
    """Jaeger's HTTP API at `url`."""

    def __init__(self, url: str) -> None:
        self._url = url

    def trace(self, trace_id: str) -> Trace | None:
        """Return a trace; None if the collector does not have it. Raises LabError when it does not answer."""
        found = _traces(self._get(f"/api/traces/{trace_id}", {}))
        return found[0] if found else None

    def search(self, unit: str, attributes: Mapping[str, str], limit: int = 20) -> list[Trace]:
        """Return traces with a span of `unit` that has these attributes, newest first. Raises LabError."""
        query = {"service": unit, "tags": json.dumps(attributes), "limit": str(limit), "lookback": "24h"}
        found = _traces(self._get("/api/traces", query))
        return sorted(found, key=lambda trace: trace.spans[0].began, reverse=True)

    def units(self) -> list[str]:
        """Return the names of all units that have sent spans. Raises LabError."""
        return sorted(self._get("/api/services", {}) or ())

    def _get(self, path: str, query: Mapping[str, str]) -> Any:
        try:
            answer = local_http.get(f"{self._url}{path}", params=dict(query), timeout=5)
            if answer.status_code == 404:
                return []
            return answer.raise_for_status().json().get("data")
        except (httpx.HTTPError, ValueError) as error:
            raise LabError(
                f"The collector of traces does not answer ({type(error).__name__}). See its state:"
                " ./lab status, ./lab logs traces"
            ) from error


def read(answer: Mapping[str, Any]) -> Trace:
    """Return one trace from an item of `data` in an answer of Jaeger."""
    return Trace(answer["traceID"], _spans(answer))


def _traces(data: Iterable[Mapping[str, Any]] | None) -> list[Trace]:
    return [read(each) for each in data or () if each.get("spans")]


def _spans(trace: Mapping[str, Any]) -> list[Span]:
    units = {name: process["serviceName"] for name, process in trace["processes"].items()}
    spans = [
        Span(
            id=span["spanID"],
            parent=next((r["spanID"] for r in span["references"] if r["refType"] == "CHILD_OF"), ""),
            unit=units[span["processID"]],
            name=span["operationName"],
            began=span["startTime"],
            took=span["duration"],
            attributes={tag["key"]: tag["value"] for tag in span["tags"]},
        )
        for span in trace["spans"]
    ]
    return sorted(spans, key=lambda span: span.began)
