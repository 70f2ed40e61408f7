"""Each panel of the dashboards has values on the running system; a browser shows one page of them only."""

import json
import re
import time
from collections.abc import Iterator
from math import isnan

import pytest
from support import Person, eventually

from lab.home import RECIPES
from lab.slo.metrics import Metrics

FOLDER = RECIPES / "observability" / "dashboards"
COLLECTION_SECONDS = 6


def panels() -> Iterator[object]:
    """Yield the query and the legend of each line. Without an alert there is no series `ALERTS`."""
    for file in sorted(FOLDER.glob("*.json")):
        for row in json.loads(file.read_text(encoding="utf-8"))["rows"]:
            for panel in row["panels"]:
                for number, query in enumerate(panel["expr"]):
                    if "ALERTS" not in query:
                        legend = panel.get("alias", [])[number:][:1]
                        yield pytest.param(
                            query, *legend or [""], id=f"{file.stem}: {panel['title']} {number}"
                        )


@pytest.fixture(scope="module", autouse=True)
def traffic() -> None:
    """Make each kind of request before and after a collection, so that each counter grows in a minute."""
    person = Person()
    for _ in range(2):
        person.post()
        for path in ("", "/user"):
            assert person.http.get(f"/api/activity-stream{path}").status_code == 200
        assert person.http.get(f"/api/posts/{0:024x}").status_code == 404
        time.sleep(COLLECTION_SECONDS)


@pytest.mark.parametrize(("query", "legend"), [*panels()])
def test_each_line_of_a_panel_has_a_value_and_a_name(metrics: Metrics, query: str, legend: str) -> None:
    found = eventually(
        lambda: [value for value in metrics.query(query) if not isnan(value.value)], within=30, what=query
    )
    assert found is not None
    wanted = set(re.findall(r"{{(\w+)}}", legend))
    assert all(value.labels.get(name) for value in found for name in wanted), (legend, found[0].labels)
