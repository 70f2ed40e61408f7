"""Invented histories in VictoriaMetrics: hours in the past, with a label of their own, removed later."""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
from grading.outcome import NotGradable, Wrong
from grading.stack import ENDPOINTS

from lab.deadlines import slow
from lab.probes import local_http

HOURS_AGO = 20
"""The collector keeps a day. The longest window of a rule is 144 minutes, so no rule sees a history."""
EVERY_SECONDS = 5
ADD_UP = "A share is one number. The query has to add up all series: sum(…)."
Labels = Mapping[str, str]


class History:
    """Series that nobody measured. `begin` is a Unix time; other times here are seconds since then.

    All of them have the label `check`, and each query sees only series with it.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._mark = secrets.token_hex(6)
        self.begin = int(time.time()) - HOURS_AGO * 3600
        self._lines: list[str] = []

    def add(
        self, name: str, labels: Labels, until: int, value: Callable[[int], float], since: int = 0
    ) -> None:
        """Add a series with a value every five seconds; `write` then stores what was added."""
        text = ",".join(f'{key}="{what}"' for key, what in {**labels, "check": self._mark}.items())
        for at in range(since, until, EVERY_SECONDS):
            self._lines.append(f"{name}{{{text}}} {value(at):g} {(self.begin + at) * 1000}")

    def growing(self, name: str, labels: Labels, until: int, by: Callable[[int], float]) -> None:
        """Add a counter that grows by `by(at)` in the five seconds before each moment."""
        total = 0.0

        def grown(at: int) -> float:
            nonlocal total
            total += by(at)
            return total

        self.add(name, labels, until, grown)

    def write(self) -> None:
        """Store what was added, and let queries see it."""
        self._post("/api/v1/import/prometheus", "\n".join(self._lines))
        self._lines.clear()
        self._post("/internal/force_flush", "")

    def value(self, query: str, at: int, several: str = ADD_UP) -> float | None:
        """Return the value of a query with one result at a moment; None without a result.

        Raises Wrong for more results; `several` tells what they mean.
        """
        found = self._result("/api/v1/query", query, {"time": str(self.begin + at)})
        if len(found) > 1:
            series = [each["metric"] for each in found[:2]]
            raise Wrong(f"evaluated {query}", "one result", f"{len(found)}, such as {series}", several)
        return float(found[0]["value"][1]) if found else None

    def values(self, query: str, until: int) -> list[tuple[Labels, dict[int, float]]]:
        """Return each resulting series with its labels and its values by moment, from 0 to `until`."""
        words = {"start": str(self.begin), "end": str(self.begin + until), "step": f"{EVERY_SECONDS}s"}
        found = self._result("/api/v1/query_range", query, words)
        return [
            (
                {name: what for name, what in each["metric"].items() if name not in ("check", "__name__")},
                {int(at) - self.begin: float(text) for at, text in each["values"]},
            )
            for each in found
        ]

    def remove(self) -> None:
        """Remove all series of this history."""
        self._post(f'/api/v1/admin/tsdb/delete_series?match[]={{check="{self._mark}"}}', "")

    def _result(self, path: str, query: str, words: Labels) -> list[Any]:
        asked = {"query": query, "nocache": "1", "extra_filters[]": f'{{check="{self._mark}"}}', **words}
        answer = local_http.get(self._url + path, params=asked, timeout=10 * slow())
        if answer.status_code in (400, 422):
            said = answer.json().get("error", answer.text)
            raise Wrong(f"let VictoriaMetrics evaluate {query}", "a result", said, "The text is no query in"
                        " Prometheus' language. VictoriaMetrics' page shows it: ./lab endpoints")  # fmt: skip
        answer.raise_for_status()
        found: list[Any] = answer.json()["data"]["result"]
        return found

    def _post(self, path: str, text: str) -> None:
        try:
            local_http.request(
                "POST", self._url + path, content=text.encode(), timeout=10 * slow()
            ).raise_for_status()
        except httpx.HTTPError as error:
            raise NotGradable(f"VictoriaMetrics refused a history of the check: {error}") from error


@contextmanager
def history() -> Iterator[History]:
    """Yield an empty history in the running VictoriaMetrics; it is removed afterwards."""
    found = History(ENDPOINTS["metrics"])
    try:
        yield found
    finally:
        found.remove()
