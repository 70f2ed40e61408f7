"""Step 5: the alerts, evaluated by VictoriaMetrics on invented ratios of errors."""

from typing import Any

from grading.outcome import require
from grading.plugin import check

from lab.course.exercise import Exercise
from lab09_observability.histories import EVERY_SECONDS, History, history
from lab09_observability.queries import ALERTS, said

LASTS = 60
"""Seconds for which each invented state lasts."""
STATES = (
    ("both windows were 2 % above the threshold", 1.02, 1.02, True),
    ("both windows were 2 % below the threshold", 0.98, 0.98, False),
    ("only the long window was above the threshold", 1.5, 0.5, False),
    ("only the short window was above the threshold", 0.5, 1.5, False),
    ("both windows were above the threshold for another objective only", 0.0, 0.0, False),
)
MEANS = {
    0: "The alert fires while both ratios are above the threshold, which is the burn rate times the budget,"
    " `burn.rate * (1 - objective.target)`. Read them from the series that the recording rules store.",
    1: "The threshold is the burn rate times the budget, `burn.rate * (1 - objective.target)`, not rounded to"
    " a few digits after the point. Below it the budget lasts longer than the alert says.",
    2: "The long window stays high for long after the repair. The short one says that it still goes on, so"
    " `and` joins the two.",
    3: "A short peak uses up little of the budget, and nobody should wake up for it. The long window says"
    " that it matters, so `and` joins the two.",
    4: 'Each alert reads the ratios of its own objective: `{slo="…"}` with `objective.name`.',
}


@check(points=3)
def test_alert_needs_both_windows(lab: Exercise) -> None:
    """An alert fires exactly while both windows of its objective burn faster than its rate"""
    alerts = said(lab, ALERTS)
    with history() as past:
        _invent(past, alerts)
        for place, alert in enumerate(alerts):
            for number, (state, _, _, fires) in enumerate(STATES):
                at = (place * len(STATES) + number) * LASTS + LASTS - 2 * EVERY_SECONDS
                found = past.value(
                    alert["query"], at, several=f"{MEANS[4]} Look at `burn_alert` in objectives.py."
                )
                require(
                    (found is not None) == fires,
                    f"evaluated the alert of {alert['slo']} for the rate {alert['rate']:g} and the windows"
                    f" {alert['long']} and {alert['short']}, when {state}",
                    expected="a result, which means that it fires" if fires else "no result",
                    saw="no result" if found is None else f"a result, {found:.4g}",
                    means=f"{MEANS[number]} Look at `burn_alert` in objectives.py.",
                )


def _invent(past: History, alerts: list[dict[str, Any]]) -> None:
    """Add the series of all recorded ratios: one state after the other, for each alert."""
    until = len(alerts) * len(STATES) * LASTS
    objectives = {alert["slo"]: 1 - alert["target"] for alert in alerts}
    windows = dict.fromkeys(window for alert in alerts for window in (alert["long"], alert["short"]))

    def ratio(slo: str, window: str, at: int) -> float:
        alert = alerts[at // (len(STATES) * LASTS)]
        number = at // LASTS % len(STATES)
        if number == len(STATES) - 1:
            return 0.0 if alert["slo"] == slo else 0.9
        if alert["slo"] != slo or window not in (alert["long"], alert["short"]):
            return 0.0
        factor = STATES[number][1 if window == alert["long"] else 2]
        return float(factor * alert["rate"] * (1 - alert["target"]))

    for slo in objectives:
        for window in windows:
            labels = {"slo": slo}
            past.add(f"slo:error_ratio:{window}", labels, until, lambda at, s=slo, w=window: ratio(s, w, at))  # type: ignore[misc]
    past.write()


@check(points=2)
def test_alert_as_a_rule(lab: Exercise) -> None:
    """The rule of an alert has a name of its own, the query, its labels and one sentence, and no delay"""
    alerts = said(lab, ALERTS)
    names = [alert["rule"].get("alert") if isinstance(alert["rule"], dict) else None for alert in alerts]
    for alert in alerts:
        rule: Any = alert["rule"]
        did = f"called alert() with the objective {alert['slo']} and the rate {alert['rate']:g}"
        require(
            isinstance(rule, dict) and {"alert", "expr", "labels", "annotations"} <= {*rule},
            did,
            expected="a dictionary with alert, expr, labels and annotations",
            saw=sorted(rule) if isinstance(rule, dict) else rule,
            means="vmalert and Prometheus read a rule with these keys.",
        )
        name = f"{alert['slo']}-burns-{alert['rate']:g}-times-too-fast"
        require(
            rule["alert"] == name and len({*names}) == len(names),
            did,
            expected=f"the name {name}",
            saw=rule["alert"],
            means="A person and `./lab slo` read the name, so each alert has one of its own.",
        )
        require(
            rule["expr"] == alert["query"],
            did,
            expected="the query of `burn_alert` as `expr`",
            saw=rule["expr"],
            means="`expr` decides when the alert fires.",
        )
        delays = {
            key: rule[key] for key in ("for", "keep_firing_for") if rule.get(key) not in (None, "", "0s", 0)
        }
        require(
            not delays,
            did,
            expected="no `for`",
            saw=delays,
            means="`for` lets an alert fire only when its query has had a result for so long without a gap."
            " The windows already keep short peaks away, so it only makes the alert late, and a fault that"
            " comes and goes never fires.",
        )
        labels = {"slo": alert["slo"], "severity": alert["severity"]}
        require(
            {key: rule["labels"].get(key) for key in labels} == labels,
            did,
            expected=labels,
            saw=rule["labels"],
            means="The label `slo` leads to the objective, and `severity` decides whether a person wakes up.",
        )
        summary = str(rule["annotations"].get("summary", ""))
        require(
            all(part in summary for part in (alert["text"], alert["long"], alert["unit"])),
            did,
            expected=f"a summary with the objective's text, {alert['long']}, and the unit {alert['unit']}",
            saw=summary or "no summary",
            means="The summary is all that a person sees at night: what was promised, since when it burns,"
            " and where to look first.",
        )
