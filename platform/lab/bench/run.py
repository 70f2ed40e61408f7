"""What `./lab bench` does: measure this system beside the naive service, or two checkouts."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from redis import Redis

from civildiy.feed import keys
from lab.backends.protocol import Backend
from lab.bench import feed, processor
from lab.bench.figures import figures
from lab.bench.rounds import measure
from lab.bench.side import Side
from lab.bench.wrk import refuse_missing
from lab.home import Home
from lab.probes import local_http
from lab.progress import Progress

AUDIENCE = "civildiy"


@contextmanager
def side_of(endpoints: dict[str, str], pids: list[int], progress: Progress) -> Iterator[Side]:
    """Yield the running system at `endpoints`, with a user and a full feed. Raises LabError."""
    host, _, port = endpoints["redis"].partition(":")
    gateway = endpoints["gateway"]
    with (
        Redis(host=host, port=int(port)) as redis,
        local_http.client(base_url=gateway, timeout=10) as http,
    ):
        token = feed.person(http)
        feed.fill(http, redis, progress)
        yield Side(gateway, token, pids, lambda: feed.lag(http), redis, keys.GLOBAL)


def against_naive(
    backend: Backend, home: Home, memory: int, rounds: int, progress: Progress
) -> dict[str, Any]:
    """Return the figures of the running system beside those of the naive service. Raises LabError."""
    refuse_missing()
    with ExitStack() as stack:
        ours = stack.enter_context(side_of(backend.endpoints(), processor.pids_of(backend.units()), progress))
        sides = {"ours": ours}
        if backend.kind == "native":  # a container cannot reach a process of this machine
            from lab.bench.naive.beside import running

            sides["naive"] = stack.enter_context(running(backend, home, ours.token, AUDIENCE, progress))
            feed.write_many(sides["naive"])
        measured = measure(sides, rounds, progress)
    return figures(measured["ours"], measured.get("naive"), memory)
