"""After a fault each unit has as many threads, file descriptors, connections and tasks as before."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import psutil
import pytest
from support import ENDPOINTS, Person, backend, client, eventually, home, stopped, until_healthy

from lab.deadlines import slow
from lab.faults import break_, ledger
from lab.faults.catalog import FAULTS, fault
from lab.probes import local_http
from lab.topology import SERVICES

pytestmark = [
    pytest.mark.fault,
    pytest.mark.skipif(backend.kind != "native", reason="reads the processes of the native backend"),
]
OURS = ("auth", "profile", "posts", "posts-relay", "feed", "feed-projector")
SLACK_THREADS, SLACK_FILES, SLACK_TASKS = 3, 10, 5
"""Pools keep a few threads and connections after a burst; a leak of one per attempt is far larger."""
NOT_TRIED = ("amnesia",)
"""This fault removes Consul's data, so rules are written again; test_rotation.py tests that."""
EVERY = [found for found in FAULTS if "native" in found.backends and found.name not in NOT_TRIED]


@dataclass(frozen=True)
class Level:
    """The resources of one process."""

    pid: int
    threads: int
    files: int
    connections: int
    tasks: int
    """Of the event loop; 0 for a worker, which has none."""

    def above(self, before: "Level") -> str:
        """Return what has grown since `before`; empty when nothing has. A restarted unit is compared, too."""
        grown = {
            "threads": self.threads - before.threads - SLACK_THREADS,
            "file descriptors": self.files - before.files - SLACK_FILES,
            "connections": self.connections - before.connections - SLACK_FILES,
            "tasks": self.tasks - before.tasks - SLACK_TASKS,
        }
        return ", ".join(f"{by} more {what}" for what, by in grown.items() if by > 0)


def level(unit: str) -> Level:
    """Return the size of the Python process of a unit."""
    pid = backend.pid_of(unit)
    assert pid is not None, f"{unit} is not running"
    process = psutil.Process(pid)
    family = [process, *process.children(recursive=True)]
    return Level(
        pid,
        sum(one.num_threads() for one in family),
        sum(one.num_fds() for one in family),
        sum(len(one.net_connections()) for one in family),
        tasks(unit) if unit in SERVICES else 0,
    )


def tasks(service: str) -> int:
    """Return how many tasks the event loop of a service has."""
    said = local_http.get(f"{ENDPOINTS[service]}/metrics", timeout=5 * slow()).raise_for_status().text
    found = re.search(r"^asyncio_tasks (\S+)$", said, re.MULTILINE)
    assert found, said[:500]
    return int(float(found[1]))


def levels() -> dict[str, Level]:
    return {unit: level(unit) for unit in OURS}


def grown(before: dict[str, Level]) -> dict[str, str]:
    """Return the units that hold more than before."""
    try:
        now = levels()
    except (AssertionError, psutil.Error, httpx.HTTPError) as error:
        return {"somebody": f"restarts right now: {error}"}
    return {unit: what for unit in OURS if (what := now[unit].above(before[unit]))}


def until_level(before: dict[str, Level], *, within: float, what: str) -> None:
    """Wait until no unit holds more than before; fail with the units that still do."""
    seen: dict[str, str] = {}

    def back() -> bool:
        nonlocal seen
        seen = grown(before)
        return not seen

    try:
        eventually(back, within=within, what=what)
    except AssertionError as error:
        raise AssertionError(f"{error}; above their level: {seen}") from None


def use(person: Person) -> None:
    """Send some requests of each kind, so that pools are filled; refused ones do not matter."""
    with client() as http:
        for _ in range(5):
            for path in ("/api/activity-stream", "/api/activity-stream/stats", "/api/posts"):
                http.get(path)
            person.http.get("/api/profile")
            person.http.post("/api/posts", json={"title": "t", "content": "c"})


@pytest.fixture(autouse=True)
def healed() -> Iterator[None]:
    yield
    break_.heal_all(home, backend)


@pytest.mark.thorough
def test_statistics_without_kafka(ada: Person) -> None:
    use(ada)
    before = levels()
    times = []
    with stopped("kafka"), client() as http:
        for _ in range(30):
            began = time.monotonic()
            assert http.get("/api/activity-stream/stats").json()["lag"] is None
            times.append(time.monotonic() - began)
        assert max(times) < 1 * slow(), times
        assert sorted(times)[len(times) // 2] < 0.5 * slow(), times
        # The relay and the projector have tried to connect all the time. One try may be under way.
        until_level(before, within=10, what="all units at their level without Kafka")
    until_healthy()
    until_level(before, within=30, what="all units at their level")

    def measured() -> bool:
        with client() as http:
            return http.get("/api/activity-stream/stats").json()["lag_events"] is not None

    eventually(measured, within=30, what="the lag after Kafka is back")


@pytest.mark.campaign
@pytest.mark.parametrize("name", [found.name for found in EVERY])
def test_each_fault_leaves_nothing(name: str, ada: Person) -> None:
    found = fault(name)
    units = [unit for unit in found.units if unit in ENDPOINTS or len(found.units) == 1]
    use(ada)
    before = levels()
    for unit in units:
        break_.start(home, backend, found, unit, 2 * slow())
        eventually(lambda: not ledger.entries(home), within=60, what=f"the end of {name}")
        until_healthy()
    use(ada)
    until_level(before, within=60, what=f"all units at their level after {name}")
