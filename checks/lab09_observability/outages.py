"""Step 5: all rules together, as vmalert evaluates them, over an invented evening."""

from typing import Any

from grading.outcome import require
from grading.plugin import check

from lab.course.exercise import Exercise
from lab09_observability.histories import EVERY_SECONDS, History, history
from lab09_observability.queries import RULES, said
from lab09_observability.shares import HISTOGRAM

BEGIN, END, UNTIL = 1200, 1800, 2400
"""An outage of ten minutes, after twenty good ones."""
PAGE = "feed-read-burns-14.4-times-too-fast"
ONE_BAD = 600
"""At this time a single read fails."""


@check(points=3)
def test_alert_begins_and_ends_with_the_outage(lab: Exercise) -> None:
    """With an outage of ten minutes the alert begins within a minute, and ends a minute after it"""
    groups = said(lab, RULES)["groups"]
    with history() as past:
        _invent(past)
        fired = _evaluate(past, groups)
    did = "invented 20 reads each five seconds, one of them bad, and an outage from minute 20 to 30"
    early = [at for at in fired if at < BEGIN]
    require(
        not early,
        did,
        expected=f"no alert {PAGE} before the outage",
        saw=f"an alert at second {early[0] if early else 0}",
        means="One bad read of thousands is within the budget. Nobody should wake up for it.",
    )
    begun = [at for at in fired if at >= BEGIN]
    require(
        begun and begun[0] - BEGIN <= 60,
        did,
        expected=f"the alert {PAGE} within 60 s after the outage began",
        saw=f"it began after {begun[0] - BEGIN} s" if begun else "no alert",
        means="All reads fail, so both windows are above the threshold soon. An alert that comes later has a"
        " `for`, a threshold that is too high, or an indicator that does not see the failure.",
    )
    last = fired[-1]
    require(
        last <= END + 60,
        did,
        expected="the end of the alert within 60 s after the outage",
        saw="an alert that still fired ten minutes later"
        if last >= UNTIL - 60
        else f"its end after {last - END} s",
        means="The short window is below the threshold soon after the repair, so `and` ends the alert.",
    )
    require(
        len(begun) >= (END - BEGIN) // EVERY_SECONDS // 2,
        did,
        expected="an alert during the whole outage",
        saw=f"an alert at {len(begun)} of {(END - BEGIN) // EVERY_SECONDS} moments",
        means="The ratio stays high while all reads fail. Without a good read, the good ones have no series"
        " or do not grow, and the share is 1.",
    )


def _invent(past: History) -> None:
    for code, bound in (("200", "0.05"), ("200", "+Inf"), ("503", "0.05"), ("503", "+Inf")):
        labels = {"router": "feed-public@consul", "code": code, "method": "GET"}

        def count(at: int, code: str = code) -> float:
            bad = 20 if BEGIN <= at < END else int(at == ONE_BAD)
            return bad if code == "503" else 20 - bad

        past.growing(f"{HISTOGRAM}_bucket", labels | {"le": bound}, UNTIL, count)
        if bound == "+Inf":
            past.growing(f"{HISTOGRAM}_count", labels, UNTIL, count)
    past.write()


def _evaluate(past: History, groups: list[dict[str, Any]]) -> list[int]:
    """Evaluate the rules in their order, store what they record, and return the moments with the alert."""
    fired: list[int] = []
    for group in groups:
        for rule in group["rules"]:
            if "record" not in rule and rule.get("alert") != PAGE:
                continue
            for labels, values in past.values(rule["expr"], UNTIL):
                if "record" not in rule:
                    fired += sorted(values)
                    continue
                stored = {**labels, **rule.get("labels", {})}
                for at, value in values.items():
                    past.add(rule["record"], stored, at + 1, lambda at, v=value: v, since=at)  # type: ignore[misc]
        past.write()
    return sorted(fired)
