"""Queries to VictoriaMetrics, in Prometheus' query language."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any

import httpx

from lab.errors import LabError
from lab.probes import local_http


@dataclass(frozen=True)
class Value:
    """One time series of an answer, and its value."""

    labels: dict[str, str]
    value: float


class Metrics:
    """The HTTP API of VictoriaMetrics, or of another server that speaks Prometheus' API, at `url`.

    `among` limits every query to the series that match one of these selectors, such as `{job!="feed"}`. Only
    VictoriaMetrics can do that.
    """

    def __init__(self, url: str, among: Sequence[str] = ()) -> None:
        self._url = url
        self._among = {"extra_filters[]": list(among)} if among else {}

    def query(self, query: str, at: float | None = None) -> list[Value]:
        """Return the result of a query now, or at a Unix time. Raises LabError without an answer."""
        moment = {} if at is None else {"time": f"{at:.3f}"}
        result = self._get("/api/v1/query", {"query": query} | moment)["result"]
        return [Value(each["metric"], float(each["value"][1])) for each in result]

    def number(self, query: str, at: float | None = None) -> float | None:
        """Return the value of a query with one result; None without a result, or if it is no number."""
        found = [value.value for value in self.query(query, at) if value.value == value.value]
        return found[0] if found else None

    def between(self, query: str, begin: float, end: float, step: int) -> list[tuple[float, float | None]]:
        """Return time and value of a query with one result, every `step` seconds. Raises LabError.

        The value is None at a moment at which the query has no result.
        """
        times = {"start": f"{begin:.0f}", "end": f"{end:.0f}", "step": f"{step}s"}
        result = self._get("/api/v1/query_range", {"query": query} | times)["result"]
        found = {float(at): float(value) for at, value in result[0]["values"]} if result else {}
        moments = [float(round(begin) + number * step) for number in range(int((end - begin) // step) + 1)]
        return [(at, value if isfinite(value := found.get(at, nan)) else None) for at in moments]

    def alerts(self) -> list[dict[str, str]]:
        """Return the labels of all alerts that are active now. Raises LabError."""
        return [value.labels for value in self.query('ALERTS{alertstate="firing"}')]

    def _get(self, path: str, query: dict[str, str]) -> Any:
        try:
            answer = local_http.get(f"{self._url}{path}", params={**query, **self._among}, timeout=5)
            return answer.raise_for_status().json()["data"]
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise LabError(
                f"The metrics server does not answer ({type(error).__name__}). See its state:"
                " ./lab status, ./lab logs metrics"
            ) from error
