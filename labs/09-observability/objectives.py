"""Service level objectives: what users may expect, as queries and alert rules for Prometheus' query language.

A **service level indicator** (SLI) is the share of good requests. An **objective** (SLO) is the share that we
promise. The rest is the **error budget**. The **burn rate** says how fast it is used. At 1 it lasts exactly
for the period of the objective, at 14 for a fourteenth of it.

An alert on the error ratio itself wakes people for one failed request at night, or sleeps through a slow
loss. So an alert looks at the burn rate in two windows. The long one shows that it matters, the short one
that it still goes on. Source: https://sre.google/workbook/alerting-on-slos/ (alert 6).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

PERIOD = "1d"
"""The period of the budget, in which the collector keeps its data. The book's windows are for 30 days; the
windows below are a thirtieth of them, because a lab lasts one evening."""


@dataclass(frozen=True)
class Objective:
    """What is promised. `bad` returns the query for the ratio of bad events in a window, such as '2m'."""

    name: str
    text: str
    target: float
    bad: Callable[[str], str]
    unit: str
    """The unit at which to look first, when the objective is missed."""


@dataclass(frozen=True)
class Burn:
    """A pair of windows, and the burn rate above which both of them together are an alert."""

    long: str
    short: str
    rate: float
    severity: str


BURNS = (
    Burn("2m", "30s", 14.4, "page"),  # 2 % of the budget in a thirtieth of an hour
    Burn("12m", "1m", 6.0, "page"),
    Burn("144m", "12m", 1.0, "ticket"),
)
READY_WITHIN = "30s"
"""A system whose rules were not evaluated for this long was down, and has to become ready again."""
WINDOWS = tuple(dict.fromkeys(window for burn in BURNS for window in (burn.short, burn.long)))


def slow_or_failed_reads(window: str) -> str:
    """Return the query for the share of bad reads of the feed in the last `window`, such as '2m': 0 to 1.

    A read is good if it is answered within 50 ms and without a 5xx. The gateway measures all reads in the
    histogram `traefik_router_request_duration_seconds`. The reads are those with the label
    `router=~"feed-(public|own)@consul"`, and `code` is the status. Its series `…_count` counts all requests,
    and `…_bucket` with `le="0.05"` those that took 0.05 s at most.

    - Compare counts: a share of requests is a ratio of `sum(rate(…[window]))`. Averages and quantiles do not
      tell how many requests are bad. (The 99 % quantile is the duration that 99 % do not exceed.)
    - When no read was good, the good ones have no series: `(… or vector(0))` makes that 0.
    - When nothing was read, there is no share, and the query has no result: 0 / 0 is none.
    """
    raise NotImplementedError("Lab 09, step 5: write slow_or_failed_reads")


def late_moments(window: str) -> str:
    """Return the query for the share of time in the last `window` in which a post was late: 0 to 1.

    A ratio of events would come from the projector, which counts nothing while it is dead. So this is a
    ratio of time, from outside: a moment is bad when an event waits for too long, and also when nobody can
    tell. The start of the system does not count.
    """
    return f"1 - avg_over_time(slo:post_to_feed:good[{window}])"


def failed_requests(window: str) -> str:
    """Return the query for the share of all requests in the last `window` that failed: 0 to 1.

    The gateway counts all requests in `traefik_entrypoint_requests_total{entrypoint="web"}`. A request has
    failed if its `code` is a 5xx; one with 4xx is a mistake of the client. When none failed, the failed ones
    have no series, and the share is 0. When nothing was requested, the query has no result.

    Example: with 100 requests, of which 2 are answered 503 and 10 are answered 404, the result is 0.02.
    """
    raise NotImplementedError("Lab 09, step 5: write failed_requests")


OBJECTIVES = (
    Objective(
        "feed-read",
        "99 % of reads of the feed are answered without an error within 50 ms",
        0.99,
        slow_or_failed_reads,
        "feed",
    ),
    Objective(
        "post-to-feed",
        "in 99 % of the time, every post is in the feed after 2 s at most",
        0.99,
        late_moments,
        "feed-projector",
    ),
    Objective(
        "no-errors",
        "99.9 % of all requests are answered without a 5xx",
        0.999,
        failed_requests,
        "traefik",
    ),
)


def error_ratio(objective: Objective, window: str) -> str:
    """Return the query for the ratio of bad events in the last `window`, such as '2m': from 0 to 1."""
    return objective.bad(window)


def recorded(window: str) -> str:
    """Return the name of the recording rule for the error ratios in a window."""
    return f"slo:error_ratio:{window}"


def burn_alert(objective: Objective, burn: Burn) -> str:
    """Return the query of an alert: it has a result while the budget burns faster than `burn.rate`.

    - The threshold is the burn rate times the error budget, which is `1 - objective.target`.
    - The ratios of both windows, `burn.long` and `burn.short`, must be above it. So the alert ends soon after
      the fault: the short window is below the threshold then.
    - Read the ratios that the recording rules store: vmalert evaluates them every 5 s, and each result
      becomes a time series. `recorded("2m")` is the name of such a series, and
      `recorded("2m") + '{slo="feed-read"}'` selects that of one objective. The operator `and` joins two
      queries with the same labels.

    Example: `slo:error_ratio:2m{slo="feed-read"} > 0.144 and slo:error_ratio:30s{slo="feed-read"} > 0.144` is
    the alert of an objective of 99 % for the rate 14.4.
    """
    raise NotImplementedError("Lab 09, step 5: write burn_alert")


def rules() -> dict[str, Any]:
    """Return the rules as vmalert and Prometheus read them: first what is recorded, then the alerts."""
    return {
        "groups": [
            {"name": "indicators", "interval": "5s", "rules": [*_indicators()]},
            {"name": "burn-rates", "interval": "5s", "rules": [*_alerts()]},
        ]
    }


def _indicators() -> Iterator[Mapping[str, Any]]:
    late = "(max(outbox_oldest_seconds) + max(feed_lag_seconds))"
    yield {"record": "slo:post_to_feed:seconds", "expr": late}
    # A system that starts promises nothing yet. It is ready at its first good moment, and remains so while
    # this rule is evaluated: each evaluation finds the one before it.
    ready = "slo:post_to_feed:ready"
    before = f"last_over_time({ready}[{READY_WITHIN}])"
    yield {"record": ready, "expr": f"(({late} < bool 2) == 1) or {before}"}
    yield {"record": "slo:post_to_feed:good", "expr": f"(({late} < bool 2) or vector(0)) and {before}"}
    for objective in OBJECTIVES:
        for window in WINDOWS:
            yield {
                "record": recorded(window),
                "labels": {"slo": objective.name},
                "expr": error_ratio(objective, window),
            }


def alert(objective: Objective, burn: Burn) -> dict[str, Any]:
    """Return one alerting rule, as vmalert reads it: a dictionary with four keys.

    - `alert`: its name, such as "feed-read-burns-14.4-times-too-fast"; `f"{burn.rate:g}"` writes the rate.
    - `expr`: the query, `burn_alert(objective, burn)`.
    - `labels`: a dictionary with `slo`, the objective's name, and `severity`, that of `burn`.
    - `annotations`: a dictionary with `summary`, one sentence with the objective's text, `burn.long`, and the
      unit at which to look first.

    There is no key `for`: it would delay the alert, and the windows already keep short peaks away.
    """
    return {
        "alert": f"{objective.name}-burns-{burn.rate:g}-times-too-fast",
        "expr": burn_alert(objective, burn),
        "labels": {"slo": objective.name, "severity": burn.severity},
        "annotations": {
            "summary": f"{objective.text}: the budget burns more than {burn.rate:g} times too fast"
            f" for {burn.long}. Look at {objective.unit} first.",
        },
    }


def _alerts() -> Iterator[Mapping[str, Any]]:
    for objective in OBJECTIVES:
        for burn in BURNS:
            yield alert(objective, burn)
