"""A simulation of the system under more load than one machine can make: `python -m lab.bench.scaling.model`.

Posts and reads arrive at random (Poisson) and pass stations, one after the other. A station has servers; each
serves one job at a time, in the order of arrival, for a random (exponential) time. Its mean is the processor
time of this step (demands.toml). No job comes back to a station, so each station can be
simulated by itself, with the departures of the one before as its arrivals.

A station with keys sends each post to the server that its key belongs to, as partitions and shards do. So
one of them may be busy while others wait. What it leaves out: the network, and that one machine's processors
are shared by all stations.
"""

import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heapreplace
from itertools import accumulate
from pathlib import Path
from random import Random

DEMANDS = Path(__file__).with_name("demands.toml")
WRITES, READS = 20.0, 200.0
"""Posts and reads per second that count as one load."""
JOBS = 20_000
"""Posts in one simulation; enough for a 99th percentile, and their number fixes the time that passes."""
LATE_SECONDS = 2.0
"""The objective: a post is in the feed after this time at most."""


@dataclass(frozen=True)
class Station:
    """A step of the way. `ms` is the processor time of one job, `servers` how many work side by side."""

    name: str
    ms: float
    servers: int = 1
    keyed: bool = False


@dataclass(frozen=True)
class Plan:
    """A system: the stations of a post and of a read, and one that both need."""

    write: Sequence[Station]
    read: Sequence[Station]
    shared: str = "redis"


@dataclass(frozen=True)
class Outcome:
    """What a simulation showed. A station that is busy all the time cannot do the work."""

    busy: Mapping[str, float]
    """The share of time in which a server works, by station; of the busiest server where keys decide."""
    p50_ms: float
    p99_ms: float
    """From the request to the entry in the feed."""

    @property
    def first(self) -> str:
        """The busiest station."""
        return max(self.busy, key=lambda name: self.busy[name])

    @property
    def holds(self) -> bool:
        """Whether the posts are in the feed in time, and no station is always busy."""
        return self.busy[self.first] < 0.95 and self.p99_ms < LATE_SECONDS * 1000


def serve(
    station: Station, arrivals: Sequence[float], keys: Sequence[int], rng: Random
) -> tuple[list[float], float]:
    """Return when each job leaves the station, and how busy its busiest server was while jobs came."""
    mean, last = station.ms / 1000, max(arrivals)
    free, worked = [0.0] * station.servers, [0.0] * station.servers
    order = sorted(range(len(arrivals)), key=arrivals.__getitem__)
    left = [0.0] * len(arrivals)
    queue = [(0.0, server) for server in range(station.servers)]
    heapify(queue)
    for job in order:
        took = rng.expovariate(1 / mean) if mean else 0.0
        server = keys[job] % station.servers if station.keyed else queue[0][1]
        left[job] = free[server] = max(free[server], arrivals[job]) + took
        worked[server] += took
        if not station.keyed:
            heapreplace(queue, (free[server], server))
    return left, max(worked) / last


def simulate(plan: Plan, writes: float, reads: float, seed: int = 1, jobs: int = JOBS) -> Outcome:
    """Simulate so many posts and reads per second, until `jobs` posts have come."""
    rng = Random(seed)  # noqa: S311
    started = [*accumulate(rng.expovariate(writes) for _ in range(jobs))]
    keys = [rng.getrandbits(30) for _ in range(jobs)]
    busy: dict[str, float] = {}
    posts = started
    for station in plan.write:
        if station.name != plan.shared:
            posts, busy[station.name] = serve(station, posts, keys, rng)
    # As many reads as fit into the same time; of very many, a part stands for all.
    asked = min(int(reads * started[-1]), 5 * jobs)
    pages = [*accumulate(rng.expovariate(asked / started[-1]) for _ in range(asked))] if asked else []
    weight = reads * started[-1] / asked if asked else 1.0
    for station in plan.read:
        if station.name != plan.shared and pages:
            each = replace(station, ms=station.ms * weight)
            pages, busy[station.name] = serve(each, pages, [0] * len(pages), rng)
    posts, busy[plan.shared] = _at_shared(plan, posts, pages, weight, rng)
    waits = sorted((end - begin) * 1000 for begin, end in zip(started, posts, strict=True))
    return Outcome(busy, waits[len(waits) // 2], waits[int(len(waits) * 0.99)])


def _at_shared(
    plan: Plan, posts: Sequence[float], pages: Sequence[float], weight: float, rng: Random
) -> tuple[list[float], float]:
    """Serve posts and reads at the station that both need: Redis runs one command after the other."""
    write = next(station for station in plan.write if station.name == plan.shared)
    read = next(station for station in plan.read if station.name == plan.shared)
    jobs = sorted([(time, True, n) for n, time in enumerate(posts)] + [(t, False, 0) for t in pages])
    free = [0.0] * write.servers
    left, worked = [0.0] * len(posts), [0.0] * write.servers
    for time, is_post, number in jobs:
        server = free.index(min(free))
        took = rng.expovariate(1000 / (write.ms if is_post else read.ms * weight))
        free[server] = max(free[server], time) + took
        worked[server] += took
        if is_post:
            left[number] = free[server]
    return left, max(worked) / max(jobs)[0]


def plan(figures: Mapping[str, float], count: Mapping[str, int]) -> Plan:
    """Return the system with these demands (ms) and these numbers of servers; one where none is given."""

    def station(name: str, demand: str, *, keyed: bool = False) -> Station:
        return Station(name, figures[demand], count.get(name, 1), keyed)

    return Plan(
        write=[
            station("gateway", "gateway_write"),
            station("auth", "auth_write"),
            station("posts", "posts_write"),
            station("mongodb", "mongodb_write"),
            station("relays", "relay_event", keyed=True),
            station("kafka", "kafka_event"),
            station("projectors", "projector_event", keyed=True),
            station("redis", "redis_event"),
        ],
        read=[
            station("gateway of reads", "gateway_read"),
            station("feed", "feed_read"),
            station("redis", "redis_read"),
        ],
    )


def demands() -> dict[str, float]:
    """Return the processor time of each step in ms."""
    document = tomllib.loads(DEMANDS.read_text(encoding="utf-8"))
    return {**document["write"], **document["read"]}


TWICE: Mapping[str, int] = {"gateway of reads": 2, "feed": 2, "posts": 2}
SIZED: Mapping[str, int] = {
    "gateway": 3, "auth": 2, "posts": 5, "mongodb": 4, "relays": 4, "projectors": 4, "feed": 9,
    "gateway of reads": 8,
}  # fmt: skip
HUGE: Mapping[str, int] = {name: 100 * count for name, count in {**SIZED, "kafka": 1}.items()}
STEPS: tuple[tuple[int, Mapping[str, int], str], ...] = (
    (1, {}, "one of everything"),
    (10, {}, "one of everything"),
    (10, TWICE, "two each of posts, feed and the gateway"),
    (100, TWICE, "the same"),
    (100, SIZED, "sized for it, with one Redis"),
    (100, {**SIZED, "redis": 2}, "and with two Redis servers"),
    (10_000, {**HUGE, "redis": 200}, "100 times of that, if lists were divided"),
    (10_000, HUGE, "100 times of that, with one global list"),
)
"""Load, numbers of servers, and what was changed, for docs/scaling.md."""


def rows() -> Iterator[str]:
    """Yield the rows of the table in docs/scaling.md."""
    measured = demands()
    for load, count, what in STEPS:
        outcome = simulate(plan(measured, count), WRITES * load, READS * load)
        busiest = sorted(outcome.busy.items(), key=lambda item: -item[1])[:3]
        shown = ", ".join(f"{name} {share:.0%}" for name, share in busiest)
        late = f"{outcome.p99_ms:,.0f} ms" if outcome.holds else "grows without end"
        yield f"| {load:,} | {what} | {shown} | {late} |"


if __name__ == "__main__":
    sys.stdout.write("\n".join(rows()) + "\n")
