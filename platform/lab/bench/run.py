"""What `./lab bench` does: measure this system beside the naive service, or two checkouts."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from redis import Redis

from civildiy.feed import keys
from lab.backends.protocol import Backend
from lab.bench import feed, processor, scale
from lab.bench.figures import figures
from lab.bench.rounds import measure
from lab.bench.side import Side
from lab.bench.wrk import refuse_missing
from lab.errors import LabError
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


def scaled(backend: Backend, posts: int, progress: Progress) -> dict[str, Any]:
    """Fill the system with `posts` posts, rebuild the feed and verify it; return what both cost."""
    with side_of(backend.endpoints(), [], progress) as side:
        feed.some_post(side)  # the topic's newest record is newer than the posts that are not on it
        scale.fill(backend, posts, progress)
    found: dict[str, Any] = {"posts": posts}
    for tool in ("feed-rebuild", "feed-verify"):
        ran = scale.run(backend, tool, progress)
        found[tool] = {
            "seconds": ran.seconds, "processor_seconds": ran.processor_seconds, "peak_mb": ran.peak_mb
        }  # fmt: skip
        if tool == "feed-rebuild" and not ran.answer["switched"]:
            raise LabError(f"The feed was not rebuilt: {ran.answer['why']}")
        if tool == "feed-verify":
            found["findings"] = len(ran.answer["findings"])
    return found


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
