"""The rules of the objectives: the file for vmalert, the thresholds, and the names that the rules read."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from civildiy.operations import objectives
from civildiy.operations.objectives import (
    BURNS,
    OBJECTIVES,
    READY_WITHIN,
    WINDOWS,
    burn_alert,
    error_ratio,
    rules,
    slow_or_failed_reads,
)
from lab.home import RECIPES, REPO
from lab.slo import rules as written
from lab.slo.budget import budgets
from lab.slo.metrics import Metrics, Value
from lab.storm.burned import AFTER_SECONDS, burned
from lab.storm.history import Spell


def test_the_file_for_vmalert_holds_the_rules() -> None:
    text = written.FILE.read_text(encoding="utf-8")
    assert text == written.text(), "generate it again: python -m lab.slo.rules"
    assert yaml.safe_load(text) == rules()


def test_a_learner_can_print_a_query(tmp_path: Path) -> None:
    """The command on the lab's page prints a query, because the module needs nothing but Python."""
    page = (REPO / "labs" / "09-observability" / "README.md").read_text(encoding="utf-8")
    command = next(line for line in page.splitlines() if line.startswith("cd labs/09-observability"))
    (folder := tmp_path / "labs" / "09-observability").mkdir(parents=True)
    shutil.copy(objectives.__file__, folder / "objectives.py")
    printed = subprocess.check_output(["bash", "-c", command], cwd=tmp_path, text=True)
    assert printed.strip() == slow_or_failed_reads("2m")


def test_an_alert_needs_both_windows() -> None:
    query = burn_alert(OBJECTIVES[0], BURNS[0])
    assert query == (
        'slo:error_ratio:2m{slo="feed-read"} > 0.144 and slo:error_ratio:30s{slo="feed-read"} > 0.144'
    )


def test_no_alert_asks_for_more_errors_than_requests() -> None:
    thresholds = [burn.rate * (1 - objective.target) for objective in OBJECTIVES for burn in BURNS]
    assert max(thresholds) < 1


def test_every_ratio_that_an_alert_reads_is_recorded() -> None:
    indicators, alerts = rules()["groups"]
    stored = {(rule["record"], rule.get("labels", {}).get("slo", "")) for rule in indicators["rules"]}
    read = {
        pair
        for rule in alerts["rules"]
        for pair in re.findall(r'(slo:error_ratio:\w+)\{slo="([\w-]+)"\}', rule["expr"])
    }
    assert read
    assert read <= stored


def test_a_moment_counts_only_in_a_system_that_was_ready() -> None:
    found = {rule["record"]: rule["expr"] for rule in rules()["groups"][0]["rules"]}
    before = f"last_over_time(slo:post_to_feed:ready[{READY_WITHIN}])"
    assert found["slo:post_to_feed:good"].endswith(f"or vector(0)) and {before}")
    assert found["slo:post_to_feed:ready"].endswith(f"== 1) or {before}")
    names = list(found)
    assert names.index("slo:post_to_feed:ready") < names.index("slo:post_to_feed:good")


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda objective: objective.name)
@pytest.mark.parametrize("window", WINDOWS)
def test_a_window_is_put_into_the_whole_query(objective: object, window: str) -> None:
    query = error_ratio(objective, window)  # type: ignore[arg-type]
    assert "$" not in query
    assert f"[{window}]" in query


def test_the_bucket_of_an_objective_exists() -> None:
    """A bound that no bucket has would hide the objective."""
    settings = (REPO / "platform/deployment/settings/traefik-observability.env").read_text()
    buckets = re.findall(r"BUCKETS=(.*)", settings)[0].split(",")
    bounds = {
        bound for objective in OBJECTIVES for bound in re.findall(r'le="([\d.]+)"', objective.bad("2m"))
    }
    assert bounds == {"0.05"}
    assert bounds <= set(buckets)


def test_a_budget_is_used_up_when_the_ratio_of_errors_is_the_allowed_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    allowed = {objective.name: 1 - objective.target for objective in OBJECTIVES}

    def query(self: Metrics, text: str, at: float | None = None) -> list[Value]:
        if text.startswith("ALERTS"):
            return [Value({"alertname": "burning", "slo": "feed-read"}, 1)]
        for name, share in allowed.items():
            if f'slo="{name}"' in text:
                return [Value({}, 2 * share)]
        return [Value({}, next(share for o, share in allowed.items() if by_name(o) == text))]

    def by_name(name: str) -> str:
        return error_ratio(next(o for o in OBJECTIVES if o.name == name), "1d")

    monkeypatch.setattr(Metrics, "query", query)
    found = budgets(Metrics("http://nowhere"))
    assert [round(budget.left or 0, 9) for budget in found] == [0, 0, 0]
    assert {round(rate or 0, 9) for budget in found for rate in budget.burn.values()} == {2}
    assert [list(budget.alerts) for budget in found] == [["burning"], [], []]
    first = json.loads(json.dumps([budget.as_json() for budget in found]))[0]
    assert first["objective"]["name"] == OBJECTIVES[0].name
    assert first["burn"].keys() == {burn.long for burn in BURNS}
    assert first["alerts"] == ["burning"]


DASHBOARDS = sorted((RECIPES / "observability" / "dashboards").glob("*.json"))
PAGE = (REPO / "docs" / "observability.md").read_text(encoding="utf-8")
FOREIGN = {"up", "ALERTS"}
"""Series that the collector and vmalert make themselves."""


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_each_panel_is_explained_and_reads_metrics_of_the_table(file: Path) -> None:
    dashboard = json.loads(file.read_text(encoding="utf-8"))
    assert dashboard["filename"] == file.name
    assert f"### {dashboard['title']}\n" in PAGE
    for panel in (panel for row in dashboard["rows"] for panel in row["panels"]):
        assert f"| {panel['title']} | {panel['description']} |" in PAGE
        for query in panel["expr"]:
            without_labels = re.sub(r" by \(.*?\)|\{.*?\}", "", query)
            metrics = set(re.findall(r"(?:^|[ (])([a-zA-Z][\w:]*)(?=[\[)]| /|$)", without_labels))
            assert metrics, query
            named = {re.sub("_bucket$", "", metric) for metric in metrics} - FOREIGN
            assert {
                name for name in named if f"`{name}`" not in PAGE and not name.startswith("slo:")
            } == set()


def test_there_are_dashboards() -> None:
    assert len(DASHBOARDS) == 3


def test_a_fault_burns_its_share_of_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of all events bad for 86.4 s, with 1 % allowed: 5 % of the day's budget."""
    monkeypatch.setattr(Metrics, "number", lambda self, query, at: 0.5)
    spells = [Spell("kill", "posts", 1000.0, 1000.0 + 86.4 - AFTER_SECONDS, "")]
    ((fault, unit, *shares),) = burned(Metrics("http://nowhere"), spells)
    assert (fault, unit) == ("kill", "posts")
    assert shares == ["5.0 %", "5.0 %", "49.8 %"]
