"""What `./lab bench` reads from wrk, and the medians and ratios that it makes of it."""

import itertools
import math
import os
import time
from datetime import timedelta

import psutil
import pytest

from civildiy.posts.document import is_visible, now
from lab.backends.protocol import Unit
from lab.bench import processor, scale
from lab.bench.feed import Delays
from lab.bench.figures import HEADS, cost_of_option, figures, table, whole_system
from lab.bench.rounds import Measured
from lab.bench.rows import HEALTH, MANY, ROWS
from lab.bench.wrk import Load, parse
from lab.errors import LabError

OUTPUT = """Running 2s test @ http://127.0.0.1/api/posts
  1 threads and 1 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.20ms    2.00ms  30.00ms   95.50%
    Req/Sec     1.00k   150.00     1.20k    50.00%
  Latency Distribution
     50%  812.00us
     75%    1.00ms
     90%    2.50ms
     99%    1.25s
  2012 requests in 2.00s, 1.02MB read
Requests/sec:   1005.50
Transfer/sec:    522.00KB
"""


def test_the_figures_of_wrk() -> None:
    """50.00% of +/- Stdev is no latency."""
    assert parse(OUTPUT) == Load(p50=0.812, p99=1250.0, rate=1005.5, requests=2012)


def test_output_without_figures() -> None:
    with pytest.raises(LabError, match="no figures"):
        parse("unable to connect")


def test_a_machine_that_is_too_busy_is_reported() -> None:
    with pytest.raises(LabError, match="too busy"):
        parse(OUTPUT.replace("2012 requests", "0 requests"))


def measured(times: float) -> Measured:
    """Two rounds, the second one disturbed: everything takes ten times as long."""
    loads = {
        row.name: [
            Load(factor * (1.0 if row.request is HEALTH else times), factor * 5 * times, 100 / factor, 50)
            for factor in (1, 10)
        ]
        for row in ROWS
    }
    cost = {row.name: [times, times] for row in ROWS}
    return Measured(loads, cost, [6.0, 8.0], [Delays(9.0, 20.0), Delays(11.0, 30.0)])


def test_a_ratio_is_made_inside_a_round() -> None:
    """The disturbed round changes medians, but no ratio."""
    found = figures(measured(2.0), measured(4.0), 700_000_000)
    row = found["rows"]["GET post, 1"]
    assert math.isclose(row["p50_to_health"], 2.0)
    assert math.isclose(row["p99_to_p50"], 5.0)
    assert math.isclose(row["per_s_to_reference"], 1.0)
    assert row["reference"]["processor_ms"] == 4.0
    assert found["to_feed_ms"] == {"p50": 10.0, "p99": 25.0}
    assert (found["idle_percent"], found["memory_mb"]) == (7.0, 700.0)


@pytest.mark.parametrize("reference", [None, measured(1.0)])
def test_the_table_has_a_cell_for_each_head(reference: Measured | None) -> None:
    found = figures(measured(2.0), reference, 1)
    assert [len(cells) for cells in table(found)] == [len(HEADS)] * len(ROWS)
    assert {len(cells) for cells in whole_system(found)} == {4}


def test_each_request_is_measured_with_one_and_with_many_connections() -> None:
    many = {row.request.name for row in ROWS if row.connections == MANY}
    assert {"health", "feed", "own feed", "GET post", "POST post"} == many


def test_processor_time_counts_children() -> None:
    child = psutil.Popen(["sh", "-c", "i=0; while [ $i -lt 100000000 ]; do i=$((i+1)); done"])
    try:
        before = processor.seconds([os.getpid()])
        deadline = time.monotonic() + 10
        while processor.seconds([child.pid]) < 0.05 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert processor.seconds([os.getpid()]) - before >= 0.04
    finally:
        child.kill()
        child.wait()


def test_a_container_has_no_processor_time() -> None:
    """Its processes may be in a virtual machine; a sum without them would be too small."""
    native = Unit("posts", "running", 12, None, 1, 0.0, 0)
    assert processor.pids_of([native]) == [12]
    assert processor.pids_of([native, Unit("feed", "running", 13, "abc", 1, 0.0, 0)]) == []
    assert processor.pids_of([native, Unit("feed", "stopped", None, None, 0, None, 0)]) == []


def test_the_missing_posts_are_published_ones_in_the_order_of_time() -> None:
    posts = [*itertools.chain.from_iterable(scale.batches(1_000, 5_500))]
    times = [post["updated_at"] for post in posts]
    assert len(posts) == 4_500
    assert times == sorted(times)
    assert now() - times[-1] >= timedelta(days=1), "newer than the topic's last record, verify reports them"
    assert all(is_visible(post) and post["settled"] and not post["outbox"] for post in posts)
    assert len({post["user_id"] for post in posts}) == 4_500


def test_the_cost_of_an_option_is_the_difference() -> None:
    found = figures(measured(1.1), measured(1.0), 1_100_000_000) | {"memory_reference_mb": 900.0}
    feed, memory = cost_of_option(found)
    assert feed == ("feed, 1: p50 ms", "6.05", "5.50", "1.10 times, at most 1.15")
    assert memory == ("memory, MB", "1100", "900", "200 more, at most 240")
