"""The figures of a storm: counts, the longest recovery, percentiles."""

import statistics
from collections import Counter
from itertools import takewhile

from lab.storm.history import History
from lab.storm.run import Report

LATELY_SECONDS = 5.0


def percentile(values: list[float], which: int) -> float:
    """Return a percentile of the values, 0 without any."""
    return statistics.quantiles(values, n=100)[which - 1] if len(values) > 1 else (values or [0.0])[0]


def longest_recovery(history: History) -> float:
    """Return the longest time from a fault's end to the last failure before the next fault, in seconds."""
    failures = [w.ended for w in history.writes if w.outcome == "unknown"]
    failures += [r.ended for r in history.reads if r.status == 0 or r.status >= 500]
    failures.sort()
    longest = 0.0
    for number, spell in enumerate(history.spells):
        following = history.spells[number + 1].began if number + 1 < len(history.spells) else history.ended
        after = [moment for moment in failures if spell.ended < moment < following]
        longest = max([longest, *(moment - spell.ended for moment in after)])
    return longest


def rates(history: History) -> dict[str, float]:
    """Return the number of changes and reads per second that were answered as expected."""
    seconds = max(history.ended - history.began, 0.001)
    # A change that must be refused counts, too, if it was refused.
    changes = sum(1 for w in history.writes if w.outcome == ("refused" if w.kind == "refuse" else "done"))
    reads = sum(1 for r in history.reads if 200 <= r.status < 300)
    return {"changes": changes / seconds, "reads": reads / seconds}


def lately(history: History, now: float) -> dict[str, float]:
    """Return changes, failed changes and reads per second, for the last LATELY_SECONDS."""
    since = now - LATELY_SECONDS
    writes = takewhile(lambda write: write.ended > since, reversed(history.writes))
    outcomes = [write.outcome for write in writes if write.kind != "refuse"]
    failed = sum(1 for outcome in outcomes if outcome != "done")
    reads = sum(1 for _ in takewhile(lambda read: read.ended > since, reversed(history.reads)))
    counts = {"changes": len(outcomes), "failed": failed, "reads": reads}
    return {what: count / LATELY_SECONDS for what, count in counts.items()}


def numbers(report: Report) -> dict[str, float]:
    """Return the figures for scripts; times in milliseconds."""
    history = report.history
    found = {f"{what}_per_s": round(rate, 2) for what, rate in rates(history).items()}
    for what, took in _took(history).items():
        found |= {f"{what}_p{which}_ms": round(percentile(took, which), 1) for which in (50, 99)}
    return found


def _took(history: History) -> dict[str, list[float]]:
    """Return the milliseconds of each answer with status 2xx."""
    return {
        "changes": [1000 * (w.ended - w.began) for w in history.writes if w.outcome == "done"],
        "reads": [1000 * (r.ended - r.began) for r in history.reads if r.status == 200],
    }


def table(report: Report) -> dict[str, str]:
    """Return the lines to print: name and value of each figure."""
    history = report.history
    writes = [w for w in history.writes if w.kind != "refuse"]
    outcomes = Counter(w.outcome for w in writes)
    took, reads = _took(history).values()
    rate = rates(history)
    judged = sum(1 for r in history.reads if r.entries is not None)
    kinds = Counter(violation.partition(":")[0] for violation in report.violations)
    oddities = ", ".join(f"{what}: {count}" for what, count in sorted(history.oddities.items()))
    return {
        "changes": f"{len(writes)}: {outcomes['done']} answered 2xx, {outcomes['refused']} refused,"
        f" {outcomes['unknown']} without an answer that tells",
        "reads": f"{len(history.reads)}: {len(reads)} answered 200, {judged} judged by the topic",
        "private": f"{len(history.secrets)} secrets written, {len(history.looks)} reads of profiles",
        "per second": f"{rate['changes']:.1f} changes, {rate['reads']:.1f} reads",
        "p50, p99 of changes": f"{percentile(took, 50):.0f} ms, {percentile(took, 99):.0f} ms",
        "p50, p99 of reads": f"{percentile(reads, 50):.0f} ms, {percentile(reads, 99):.0f} ms",
        "faults": str(len(history.spells)),
        "faults not injected": str(sum(1 for spell in history.spells if spell.trouble)),
        "lost": str(kinds["missing"]),
        "doubled": str(kinds["doubled"]),
        "other violations": str(len(report.violations) - kinds["missing"] - kinds["doubled"]),
        "largest lag": f"{max((s.lag or 0 for s in history.samples), default=0)} events",
        "longest recovery": f"{longest_recovery(history):.1f} s after a fault",
        "recovered after": "not in time" if report.recovery is None else f"{report.recovery:.1f} s",
        "unexpected answers": oddities or "none",
    }
