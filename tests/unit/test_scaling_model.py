"""The simulation behind docs/scaling.md: it agrees with what queueing theory knows, and the page with it."""

from itertools import accumulate
from random import Random

import pytest

from lab.bench.scaling.measure import Figure, Row
from lab.bench.scaling.model import Plan, Station, demands, plan, rows, serve, simulate
from lab.bench.scaling.table import DEMANDS, HEADS, as_json, table
from lab.bench.scaling.table import demands as measured_demands
from lab.home import REPO

JOBS = 40_000


def waits(station: Station, rate: float, seed: int = 1) -> tuple[float, float]:
    """Return the mean time at a station in ms, and how busy it was."""
    rng = Random(seed)
    arrivals = [*accumulate(rng.expovariate(rate) for _ in range(JOBS))]
    left, busy = serve(station, arrivals, [rng.getrandbits(30) for _ in arrivals], rng)
    return sum(end - begin for begin, end in zip(arrivals, left, strict=True)) / JOBS * 1000, busy


@pytest.mark.parametrize("load", [0.2, 0.5, 0.8])
def test_one_server_waits_as_theory_says(load: float) -> None:
    mean, busy = waits(Station("one", 10.0), load * 100)
    assert busy == pytest.approx(load, rel=0.05)
    assert mean == pytest.approx(10.0 / (1 - load), rel=0.15)  # M/M/1


def test_two_servers_with_one_queue_beat_two_with_keys() -> None:
    shared, _ = waits(Station("two", 10.0, 2), 160)
    keyed, _ = waits(Station("two", 10.0, 2, keyed=True), 160)
    assert shared == pytest.approx(10.0 / (1 - 0.8**2), rel=0.15)  # M/M/2
    assert keyed == pytest.approx(10.0 / (1 - 0.8), rel=0.2)  # each is an M/M/1 of its own


def test_a_post_passes_all_stations_and_shares_the_last_with_reads() -> None:
    measured = demands()
    quiet = simulate(plan(measured, {}), 1.0, 0.0, jobs=4000)
    way = [name for name in measured if name.endswith(("_write", "_event"))]
    total = sum(measured[name] for name in way)
    assert total / 3 < quiet.p50_ms < total * 1.5
    assert simulate(plan(measured, {}), 1.0, 50.0, jobs=4000).busy["redis"] > quiet.busy["redis"]


def test_a_station_that_cannot_do_the_work_is_named() -> None:
    small = Plan(write=[Station("slow", 10.0), Station("redis", 0.1)], read=[Station("redis", 0.1)])
    outcome = simulate(small, 150.0, 0.0, jobs=4000)
    assert outcome.first == "slow"
    assert outcome.busy["slow"] > 1
    assert not outcome.holds
    assert simulate(small, 50.0, 0.0, jobs=4000).holds


def test_the_page_shows_what_the_simulation_says() -> None:
    page = (REPO / "docs" / "scaling.md").read_text()
    assert [row for row in rows() if row not in page] == []


def test_a_measurement_gives_all_parameters() -> None:
    assert {*demands()} == {*DEMANDS}
    assert all(ms > 0 for ms in demands().values())


def one_row(partitions: int, replicas: int, per_second: float, posts: float) -> Row:
    def figure(**processor: float) -> Figure:
        return Figure(per_second, None, processor)

    writes = figure(posts=posts, auth=0.5)
    return Row(partitions, replicas, 3.2, writes, figure(kafka=1.0), figure(redis=0.1), figure(feed=0.4))


def test_ratios_are_made_inside_a_round_and_figures_are_medians() -> None:
    measured = as_json(
        [
            one_row(1, 1, 100, 2.0), one_row(1, 1, 50, 3.0), one_row(1, 1, 80, 2.5),
            one_row(2, 1, 100, 2.0), one_row(2, 2, 150, 2.0),
            one_row(2, 1, 10, 2.0), one_row(2, 2, 30, 2.0),
        ]
    )  # fmt: skip
    lines = table(measured)
    assert all(len(line) == len(HEADS) for line in lines)
    assert [line[:5] for line in lines] == [
        ("1", "1", "3", "80", "3.0"), ("2", "1", "3", "55", "2.5"), ("2", "2", "3", "90", "2.5")
    ]  # fmt: skip
    assert [line[-1] for line in lines] == ["", "", "2.25, 2.25, 2.25, 2.25"]
    found = measured_demands(measured)
    assert (found["posts_write"], found["kafka_event"], found["gateway_write"]) == (2.5, 1.0, 0.0)
