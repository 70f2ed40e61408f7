"""Step 5: the two indicators, evaluated by VictoriaMetrics on an invented history."""

from collections.abc import Callable

from grading.outcome import require
from grading.plugin import check

from lab.course.exercise import Exercise
from lab09_observability.histories import History, history
from lab09_observability.queries import SHARES, said

HISTOGRAM = "traefik_router_request_duration_seconds"
BOUNDS = ("0.025", "0.05", "0.1", "+Inf")
READS = {
    # router and code: requests in five seconds that took up to 25, 50, 100 ms, and longer
    ("feed-public@consul", "200"): (80, 6, 3, 1), ("feed-own@consul", "200"): (40, 0, 0, 2),
    ("feed-public@consul", "404"): (10, 0, 0, 0), ("feed-public@consul", "503"): (5, 0, 0, 1),
}  # fmt: skip
OTHERS = {("posts@consul", "200"): (200, 0, 0, 60), ("posts@consul", "500"): (30, 0, 0, 10)}
Reads = dict[tuple[str, str], tuple[int, int, int, int]]
ALL, GOOD = 148, 136
"""READS in five seconds, and those of them with a good status within 50 ms."""


def _reads(past: History, until: int, reads: Reads, when: Callable[[int], bool] = lambda at: True) -> None:
    """Add the gateway's histogram of these requests, which happen while `when` is true."""
    for (router, code), counts in reads.items():
        labels = {"router": router, "code": code, "method": "GET", "service": "s@consul"}
        for place, bound in enumerate(BOUNDS):
            up_to = sum(counts[: place + 1])
            past.growing(f"{HISTOGRAM}_bucket", labels | {"le": bound}, until, _while(when, up_to))
        past.growing(f"{HISTOGRAM}_count", labels, until, _while(when, sum(counts)))
        past.growing(f"{HISTOGRAM}_sum", labels, until, _while(when, sum(counts) * 0.01 + 2 * counts[-1]))


def _while(when: Callable[[int], bool], count: float) -> Callable[[int], float]:
    return lambda at: count if when(at) else 0


def _until(last: int) -> Callable[[int], bool]:
    return lambda at: at < last


def _near(value: float | None, wanted: float) -> bool:
    return value is not None and abs(value - wanted) <= 0.03 * wanted + 1e-9


WHERE = "Look at `slow_or_failed_reads` in objectives.py."


@check(points=3)
def test_share_of_bad_reads(lab: Exercise) -> None:
    """The share of bad reads counts slow and failed ones, of the feed only, in the given window"""
    queries = {window: both[0] for window, both in said(lab, SHARES).items()}
    with history() as past:
        _reads(past, 1200, READS, when=lambda at: at < 900)
        _reads(past, 1200, {("feed-own@consul", "201"): (148, 0, 0, 0)}, when=lambda at: at >= 900)
        _reads(past, 1200, OTHERS)
        past.write()
        bad = 1 - GOOD / ALL
        did = "invented 148 reads each five seconds; 3 took up to 100 ms, 4 longer, and 5 fast ones failed"
        for window in queries:
            found = past.value(queries[window], 880)
            require(
                _near(found, bad),
                f"{did}, and evaluated slow_or_failed_reads({window!r})",
                expected=f"{bad:.4f}, which is 12 of 148",
                saw=_number(found),
                means="A read is bad if it took more than 0.05 s or was answered with a 5xx, also a fast one;"
                " a 404 within 50 ms is good. Add up the counts of both routers of the feed, and of no other,"
                f" and divide: an average or a quantile is no share. {WHERE}",
            )
        for window, share in (("30s", 0.0), ("2m", bad / 2)):
            found = past.value(queries[window], 960)
            require(
                found is not None and abs(found - share) < 0.006,
                f"{did}; from then on all were good. After another minute, evaluated"
                f" slow_or_failed_reads({window!r})",
                expected=f"about {share:.3f}",
                saw=_number(found),
                means="The share is that of the last `window`, which the argument names. Put it into each"
                f" rate(…[window]). {WHERE}",
            )


@check(points=2)
def test_share_of_failed_requests(lab: Exercise) -> None:
    """The share of failed requests counts each 5xx at the entry point web, and nothing else"""
    queries = {window: both[1] for window, both in said(lab, SHARES).items()}
    with history() as past:
        rates = {("web", "200"): 800, ("web", "404"): 60, ("web", "500"): 60, ("web", "503"): 40,
                 ("web", "429"): 40, ("traefik", "200"): 50, ("traefik", "500"): 50}  # fmt: skip
        for (entry, code), count in rates.items():
            labels = {"entrypoint": entry, "code": code, "method": "GET", "protocol": "http"}
            past.growing("traefik_entrypoint_requests_total", labels, 1200, _while(lambda at: True, count))
        past.write()
        for window, query in queries.items():
            found = past.value(query, 1100)
            require(
                _near(found, 0.1),
                "invented 1,000 requests in each five seconds, 100 of them with a 5xx and 100 with a 4xx, and"
                f" evaluated failed_requests({window!r})",
                expected="0.1",
                saw=_number(found),
                means='The share is the requests with `code=~"5.."` divided by all requests, both at the'
                ' entry point "web". A 4xx is a mistake of the client, and it still counts as a request. Look'
                " at `failed_requests` in objectives.py.",
            )


@check(points=3)
def test_shares_at_the_edges(lab: Exercise) -> None:
    """All bad is 1, none bad is 0, and no request at all is no result"""
    reads, failed = said(lab, SHARES)["2m"]
    requests = "traefik_entrypoint_requests_total"
    web = {"entrypoint": "web", "method": "GET"}
    cases: list[tuple[str, float | None]] = [
        ("all failed", 1.0), ("none was bad", 0.0), ("there was no request for ten minutes", None),
        ("there was never one", None),
    ]  # fmt: skip
    for what, wanted in cases:
        with history() as past:
            last = 600 if wanted is None else 1300
            code = "503" if wanted == 1 else "200"
            if what != "there was never one":
                _reads(past, 1300, {("feed-own@consul", code): (20, 0, 0, 0)}, when=_until(last))
                past.growing(requests, web | {"code": code}, 1300, _while(_until(last), 20))
            else:
                past.growing("up", {"job": "feed"}, 1300, lambda at: 0)
            past.write()
            for name, query in (("slow_or_failed_reads", reads), ("failed_requests", failed)):
                found = past.value(query, 1250)
                good = found is None or found != found if wanted is None else found == wanted
                require(
                    good,
                    f"invented a time in which {what}, and evaluated {name}('2m')",
                    expected="no result" if wanted is None else f"{wanted:g}",
                    saw=_number(found),
                    means="Nobody knows how good nothing is: neither 0, which would hide that the gateway is"
                    " down, nor 1, which would wake somebody for a quiet night. Divide by the sum itself, and"
                    " put `or vector(0)` around the numerator only."
                    if wanted is None
                    else "A series of which nothing was counted yet does not exist, and a calculation with it"
                    " has no result. `(… or vector(0))` around it makes that 0.",
                )


def _number(found: float | None) -> str:
    return "no result" if found is None else f"{found:.4g}"
