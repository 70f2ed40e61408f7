"""Find a fault from the metrics alone: which unit has it, and of which kind it is.

A runbook says in which order to look, and why. Here it is a function, so that a program can follow it.
"""

from collections.abc import Callable

Ask = Callable[[str], float | None]
"""Sends a query to VictoriaMetrics and returns the value now; None if the query has no result."""

MEAN = "sum(rate(http_request_seconds_sum{who}[30s])) / sum(rate(http_request_seconds_count{who}[30s]))"
READS = '{job="feed",route!~".*(health|ready|metrics|away).*"}'
WRITES = '{job="posts",route!~".*(health|ready|metrics|away).*"}'
"""`ask(MEAN.replace("{who}", READS))` is the mean duration of the feed's reads in seconds, or None."""
SLOW_SECONDS = 0.05
"""A request that calls its store once takes a tenth of this."""
WRITE_TO_READ = 5.0
"""A write usually takes at least this many times as long as a read, also on a busy machine."""


def diagnose(ask: Ask) -> tuple[str, str]:
    """Return the unit that has the fault, and the kind of the fault: "pause" or "slow".

    A paused unit does nothing at all; a slow one works a fifth of the time. The fault is one of these six:

        pause: posts-relay, feed-projector, kafka, redis      slow: mongodb, redis

    You may write down what you have found by yourself, such as `return "redis", "pause"`. Or use `ask` and
    let the function find it: `ask('up{job="posts-relay"}')` is 1.0 while that unit answers the collector,
    0.0 while it does not, and None if the collector does not know it. Without a fault, return ("", "").
    """
    for worker in ("posts-relay", "feed-projector"):
        if ask(f'up{{job="{worker}"}}') == 0:
            return worker, "pause"
    # feed measures its view in Redis, and its lag in Kafka. A value that it cannot measure is missing.
    if ask("count_over_time(feed_view_entries[20s])") is None:
        return "redis", "pause"
    if ask("count_over_time(feed_lag_events[20s])") is None:
        return "kafka", "pause"
    reads, writes = (ask(MEAN.replace("{who}", who)) or 0.0 for who in (READS, WRITES))
    if max(reads, writes) < SLOW_SECONDS:
        return "", ""
    return ("redis" if reads * WRITE_TO_READ > writes else "mongodb"), "slow"
