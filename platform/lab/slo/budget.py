"""How much of each objective's error budget is used, and how fast it burns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from civildiy.operations.objectives import BURNS, OBJECTIVES, PERIOD, Objective, error_ratio, recorded
from lab.slo.metrics import Metrics


@dataclass(frozen=True)
class Budget:
    """The state of one objective. Ratios are from 0 to 1; None where nothing was measured."""

    objective: Objective
    good: float | None
    """The share of good events in the period."""
    left: float | None
    """The share of the error budget that is left: below 0 when the objective is missed."""
    burn: dict[str, float | None]
    """The burn rate in each long window."""
    alerts: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        """Return the fields for a script; the objective is its name and text, because a query is code."""
        about = {"name": self.objective.name, "text": self.objective.text, "target": self.objective.target}
        return {
            "objective": about, "good": self.good, "left": self.left, "burn": self.burn,
            "alerts": list(self.alerts),
        }  # fmt: skip


def budgets(metrics: Metrics) -> list[Budget]:
    """Return the state of all objectives. Raises LabError when the metrics server does not answer."""
    firing = metrics.alerts()
    return [_budget(metrics, objective, firing) for objective in OBJECTIVES]


def _budget(metrics: Metrics, objective: Objective, firing: Sequence[dict[str, str]]) -> Budget:
    allowed = 1 - objective.target
    bad = metrics.number(error_ratio(objective, PERIOD))
    burn = {}
    for window in (each.long for each in BURNS):
        ratio = metrics.number(f'{recorded(window)}{{slo="{objective.name}"}}')
        burn[window] = None if ratio is None else ratio / allowed
    return Budget(
        objective,
        good=None if bad is None else 1 - bad,
        left=None if bad is None else 1 - bad / allowed,
        burn=burn,
        alerts=[labels["alertname"] for labels in firing if labels.get("slo") == objective.name],
    )
