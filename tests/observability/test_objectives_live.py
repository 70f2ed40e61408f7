"""The metrics that the objectives need are collected, and a missed objective becomes an alert."""

import json
import subprocess
import sys
import time

import pytest
from support import Person, backend, eventually, stopped, until_healthy

from civildiy.operations.objectives import OBJECTIVES, READY_WITHIN, WINDOWS, recorded
from lab import topology
from lab.home import REPO
from lab.slo.metrics import Metrics

COLLECTED = (
    "http_requests_total", "http_request_seconds_bucket", "outbox_events", "outbox_oldest_seconds",
    "feed_lag_events", "feed_lag_seconds", "feed_events_total", "feed_view_entries", "feed_view_bytes",
    "feed_projector_running", "event_to_feed_seconds_bucket", "events_published_total",
    "event_publish_seconds_bucket", "db_client_connections", "db_client_waiting_requests",
    "event_loop_delay_seconds_bucket", "traefik_router_requests_total",
    "traefik_router_request_duration_seconds_bucket", "traefik_entrypoint_requests_total",
    "process_resident_memory_bytes",
)  # fmt: skip
"""docs/observability.md lists these."""


@pytest.fixture(scope="module", autouse=True)
def traffic() -> None:
    """Make each kind of request once, so that each metric exists."""
    person = Person()
    person.post()
    for _ in range(20):
        person.http.get("/api/activity-stream")
        person.http.get("/api/activity-stream/user")


@pytest.mark.parametrize("metric", COLLECTED)
def test_each_metric_of_the_table_is_collected(metrics: Metrics, metric: str) -> None:
    eventually(lambda: metrics.query(metric), within=20, what=metric)
    name = metric.removesuffix("_bucket")
    assert f"`{name}`" in (REPO / "docs/observability.md").read_text(encoding="utf-8")


def test_the_use_of_each_pool_is_collected(metrics: Metrics) -> None:
    def known() -> bool:
        found = {
            (v.labels["job"], v.labels["state"]): v.value for v in metrics.query("db_client_connections")
        }
        return all(found.get((unit, "idle"), 0) > 0 for unit in ("auth", "profile", "posts"))

    eventually(known, within=20, what="an idle connection in each pool")
    # What is counted by events must not drift: nothing is used while nothing is asked for.
    used = 'db_client_connections{job="posts",state="used"}'
    eventually(lambda: metrics.number(used) == 0, within=20, what="no connection in use")
    assert metrics.number('db_client_waiting_requests{job="posts"}') == 0


def test_every_unit_is_collected(metrics: Metrics) -> None:
    wanted = {*topology.OURS, "traefik"}

    def up() -> bool:
        return wanted <= {value.labels["job"] for value in metrics.query("up == 1")}

    eventually(up, within=20, what="all units")


def invented(person: Person, numbers: range) -> None:
    """Send what a client can invent: methods, paths, ids, names of a host, parameters and headers."""
    for number in numbers:
        person.http.request(f"M{number}", f"/api/posts/{number:024x}")
        person.http.get(f"/api/unknown/{number}")
        person.http.get(f"/unknown-{number}", headers={"Host": f"h{number}.example"})
        person.http.get("/api/posts", params={f"q{number}": number}, headers={f"X-{number}": str(number)})
        person.http.get(f"/api/posts/{number:024x}", headers={"User-Agent": f"agent/{number}"})
        person.http.get(f"/api/profile/{number}")


def test_the_number_of_series_does_not_grow_with_what_clients_send(metrics: Metrics) -> None:
    """Each metric of our units and of the gateway that had such a label would get 60 series more."""
    person = Person()

    def series() -> dict[str, float]:
        query = f'count by (job, __name__) ({{job=~"{"|".join([*topology.OURS, "traefik"])}"}})'
        return {f"{v.labels['job']} {v.labels['__name__']}": v.value for v in metrics.query(query)}

    invented(person, range(20))  # each kind of request once, and each code of its answers
    time.sleep(6)  # one collection
    before = series()
    assert len(before) > 50
    invented(person, range(20, 80))
    time.sleep(6)
    grown = {name: count - before.get(name, 0) for name, count in series().items()}
    assert {name: more for name, more in grown.items() if more >= 30} == {}


def test_every_ratio_is_recorded(metrics: Metrics) -> None:
    names = {objective.name for objective in OBJECTIVES}

    def all_recorded() -> bool:
        return all(names <= {v.labels["slo"] for v in metrics.query(recorded(window))} for window in WINDOWS)

    eventually(all_recorded, within=30, what="the ratios of all objectives")


def shown() -> list[dict[str, object]]:
    command = [sys.executable, "-P", "-m", "lab", "slo", "--json"]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("["), done.stdout + done.stderr
    found: list[dict[str, object]] = json.loads(done.stdout)
    return found


def test_the_budget_is_shown() -> None:
    def good() -> bool:
        return all(budget["good"] is not None for budget in shown())

    eventually(good, within=30, what="a figure for each objective")
    plain = subprocess.run(
        [sys.executable, "-P", "-m", "lab", "slo"], cwd=REPO, capture_output=True, text=True, check=False
    )
    assert all(objective.name in plain.stdout for objective in OBJECTIVES)


@pytest.mark.fault
def test_a_dead_projector_burns_the_budget_although_it_reports_nothing(metrics: Metrics) -> None:
    person = Person()
    with stopped("feed-projector"):
        person.post()

        def alert() -> bool:
            return any(labels.get("slo") == "post-to-feed" for labels in metrics.alerts())

        eventually(alert, within=90, what="an alert on post-to-feed")
    assert backend.running()


@pytest.mark.fault
def test_the_start_of_the_system_burns_nothing(metrics: Metrics) -> None:
    """Without feed nobody can tell the lag: bad in a system that was ready, no moment at all before."""
    good = "slo:post_to_feed:good"
    with stopped("feed"):
        eventually(lambda: metrics.number(good) == 0, within=30, what="a bad moment, because nobody can tell")
        with stopped("alerts"):
            time.sleep(float(READY_WITHIN.removesuffix("s")) + 5)
        began = time.monotonic()
        time.sleep(15)  # three evaluations while feed is still down
    until_healthy()
    eventually(lambda: metrics.number(good) == 1, within=30, what="the first good moment")
    since = int(time.monotonic() - began)
    assert metrics.number(f"min_over_time({good}[{since}s])") == 1
