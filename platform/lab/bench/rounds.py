"""Measure all rows of one or two systems in turn, several times."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lab.bench import feed, processor
from lab.bench.rows import ROWS, Row
from lab.bench.side import Side
from lab.bench.wrk import Load, wrk
from lab.errors import LabError
from lab.probes import local_http
from lab.progress import Progress

SECONDS = 2
IDLE_SECONDS = 5.0
WRITES = 100
DRAIN_SECONDS = 60.0


@dataclass
class Measured:
    """The results of one system, one entry for each round."""

    loads: dict[str, list[Load]] = field(default_factory=dict)
    processor_ms: dict[str, list[float]] = field(default_factory=dict)
    """By row: processor time of all units for one request, without what they use when idle."""
    idle_percent: list[float] = field(default_factory=list)
    delays: list[feed.Delays] = field(default_factory=list)


def measure(sides: Mapping[str, Side], rounds: int, progress: Progress) -> dict[str, Measured]:
    """Return the results by side. Raises LabError, and HTTPError when a system does not answer."""
    measured = {name: Measured() for name in sides}
    for number in range(rounds):
        for name, side in sides.items():
            progress.say("bench", f"round {number + 1} of {rounds}: {name}, idle")
            measured[name].idle_percent.append(_idle_percent(side.pids))
        for row in ROWS:
            for name, side in sides.items():
                progress.say("bench", f"round {number + 1} of {rounds}: {name}, {row.name}")
                if row.request.naive or name != "naive":
                    _load(side, row, measured[name])
        for name, side in sides.items():
            progress.say("bench", f"round {number + 1} of {rounds}: {name}, posts until they are in the feed")
            with local_http.client(base_url=side.url, timeout=10) as http:
                http.headers["Authorization"] = f"Bearer {side.token}"
                measured[name].delays.append(feed.delays(http, side.redis, side.feed, WRITES))
    return measured


def _load(side: Side, row: Row, into: Measured) -> None:
    token = side.token if row.request.needs_user else ""
    path = row.request.path
    if "{post}" in path:
        path = path.format(post=feed.some_post(side))
    began, used = time.monotonic(), processor.seconds(side.pids)
    load = wrk(side.url + path, row.connections, SECONDS, token, row.request.body)
    if row.request.body:
        _drain(side)
    took, used = time.monotonic() - began, processor.seconds(side.pids) - used
    into.loads.setdefault(row.name, []).append(load)
    idle = into.idle_percent[-1] / 100 * took
    if side.pids:
        into.processor_ms.setdefault(row.name, []).append((used - idle) / load.requests * 1000)


def _drain(side: Side) -> None:
    """Wait until all posts are in the feed, so that their cost counts in this row and not in the next one."""
    deadline = time.monotonic() + DRAIN_SECONDS
    while side.waiting() > 0:
        if time.monotonic() > deadline:
            raise LabError(f"{side.waiting()} events were not in the feed after {DRAIN_SECONDS:.0f} s.")
        time.sleep(0.02)


def _idle_percent(pids: Sequence[int]) -> float:
    began, used = time.monotonic(), processor.seconds(pids)
    time.sleep(IDLE_SECONDS)
    return (processor.seconds(pids) - used) / (time.monotonic() - began) * 100
