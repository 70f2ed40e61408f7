"""How much of each error budget a fault of a storm has burned, by the metrics of that time."""

from collections.abc import Sequence

from civildiy.operations.objectives import OBJECTIVES, error_ratio
from lab.slo.metrics import Metrics
from lab.storm.history import Spell

HEADS = ("fault", "unit", *(objective.name for objective in OBJECTIVES))
PERIOD_SECONDS = 24 * 60 * 60
AFTER_SECONDS = 10.0
"""The effects of a fault outlast it: units start again, and events that waited arrive late."""
COLLECTED_SECONDS = 6.0
"""A request is in the metrics after the next collection."""


def burned(metrics: Metrics, spells: Sequence[Spell]) -> list[tuple[str, ...]]:
    """Return a row for each fault: the percentage of the day's budget of each objective that it used up.

    A fault that began while another one was active shares its effects. Raises LabError.
    """
    rows = []
    for spell in spells:
        if spell.trouble:
            continue
        until = spell.ended + AFTER_SECONDS
        seconds = max(int(until - spell.began), 1)
        shares = []
        for objective in OBJECTIVES:
            bad = metrics.number(error_ratio(objective, f"{seconds}s"), until + COLLECTED_SECONDS)
            allowed = (1 - objective.target) * PERIOD_SECONDS
            shares.append("-" if bad is None else f"{max(bad, 0) * seconds / allowed * 100:.1f} %")
        rows.append((spell.fault, spell.unit, *shares))
    return rows
